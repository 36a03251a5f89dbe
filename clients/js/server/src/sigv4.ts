// Signs requests with AWS Signature Version 4 for the service `execute-api`, by WebCrypto alone.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of temporary credentials. */
  sessionToken?: string | undefined;
  region: string;
}

export interface RequestToSign {
  method: string;
  url: string | URL;
  /** Signed, all of them. */
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

const SERVICE = "execute-api";
const text = new TextEncoder();

const hex = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

const bytesOf = (data: string | Uint8Array): BufferSource =>
  typeof data === "string" ? text.encode(data) : (data as Uint8Array<ArrayBuffer>);

const sha256 = async (data: string | Uint8Array): Promise<string> =>
  hex(await crypto.subtle.digest("SHA-256", bytesOf(data)));

async function hmac(key: BufferSource, data: string): Promise<ArrayBuffer> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, text.encode(data));
}

/** Percent-encodes as RFC 3986 has it: `encodeURIComponent` leaves five characters more. */
const encode = (part: string): string =>
  encodeURIComponent(part).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function canonicalQuery(url: URL): string {
  return [...url.searchParams]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map((pair) => pair.join("="))
    .join("&");
}

/** Returns the headers to send, `authorization` among them. */
export async function signRequest(
  { method, url, headers = {}, body = "" }: RequestToSign,
  { accessKeyId, secretAccessKey, sessionToken, region }: Credentials,
  now: Date = new Date(),
): Promise<Record<string, string>> {
  const target = new URL(url);
  const time = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const date = time.slice(0, 8);
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) out[name.toLowerCase()] = value.trim().replace(/ +/g, " ");
  out["x-amz-date"] = time;
  if (sessionToken) out["x-amz-security-token"] = sessionToken;

  const signed = Object.entries({ ...out, host: target.host }).sort((a, b) => compare(a[0], b[0]));
  const names = signed.map(([name]) => name).join(";");
  const canonical = [
    method,
    target.pathname.split("/").map(encode).join("/"),
    canonicalQuery(target),
    ...signed.map(([name, value]) => `${name}:${value}`),
    "",
    names,
    await sha256(body),
  ].join("\n");
  const scope = `${date}/${region}/${SERVICE}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", time, scope, await sha256(canonical)].join("\n");

  let key: BufferSource = text.encode(`AWS4${secretAccessKey}`);
  for (const part of [date, region, SERVICE, "aws4_request"]) key = await hmac(key, part);
  const signature = hex(await hmac(key, toSign));
  out.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return out;
}

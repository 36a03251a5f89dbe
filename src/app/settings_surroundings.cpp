// Keys of AWS's names, the log and the audit log.

#include "setting_rows.hpp"

namespace holdfast::app {

void add_surroundings(std::vector<Setting>& t) {
  t.push_back(text("aws.partition", HOLDFAST_FIELD(aws.partition), kName, "Partition in ARNs."));
  t.push_back(
      text("aws.region", HOLDFAST_FIELD(aws.region), kName, "Region in signatures and ARNs."));
  t.push_back(
      text("aws.account", HOLDFAST_FIELD(aws.account), kAccount, "Account number in ARNs."));
  t.push_back(text("aws.api_id", HOLDFAST_FIELD(aws.api_id), kName,
                   "API id in the ARNs of routes, which policies use.", Live::yes));
  t.push_back(text("aws.stage", HOLDFAST_FIELD(aws.stage), kStage,
                   "Stage, such as `prod` or `$default`. Every route is also served under /STAGE.",
                   Live::yes));
  t.push_back(text("aws.stack_name", HOLDFAST_FIELD(aws.stack_name), kStackName,
                   "Name of the stack in the answer of CloudFormation's DescribeStacks.",
                   Live::yes));
  t.push_back(text("aws.sample_app_url", HOLDFAST_FIELD(aws.sample_app_url), kUrl,
                   "URL of the sample application in the same answer.", Live::yes));
  t.push_back(
      choice("log.level", HOLDFAST_FIELD(log.level), "Lowest level that the log has.", Live::yes));
  Setting format = boolean("log.format", HOLDFAST_FIELD(log.json),
                           "Format of the log: one JSON object per line, or text for people.");
  format.type = SettingType::choice;
  format.choices = {"json", "text"};
  format.read = [](const Config& config) { return Json(config.log.json ? "json" : "text"); };
  format.write = [](Config& config, const Json& value) { config.log.json = value == "json"; };
  t.push_back(std::move(format));
  t.push_back(boolean("log.access", HOLDFAST_FIELD(log.access), "Write a line for each request.",
                      Live::yes));
  t.push_back(
      text("log.audit_file", HOLDFAST_FIELD(log.audit_file), kAnyText,
           "File to which audit events are appended, one JSON object per line, in addition to the "
           "log. It is created with mode 0600 and reopened on SIGHUP. Empty: no file."));
  t.push_back(
      days("audit.keep_days", HOLDFAST_FIELD(audit.keep), 1, 3'650,
           "Time that the database keeps audit records, for `holdfast audit list` and the console.",
           Live::yes));
  t.push_back(integer("audit.records_max", HOLDFAST_FIELD(audit.records_max), 1'000, 100'000'000,
                      "Maximum of audit records in the database. The oldest are deleted first."));
}

}  // namespace holdfast::app

"""A client on Python's `websockets`: prints what arrives, and leaves Pings to the library.

usage: receive_websockets.py URL (ends with its standard input)
"""

import asyncio
import sys

import websockets


async def end_of_input():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def main(url):
    async with websockets.connect(url) as socket:
        print("connected")
        ended = asyncio.create_task(end_of_input())
        while True:
            frame = asyncio.create_task(socket.recv())
            await asyncio.wait({ended, frame}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                frame.cancel()
                break
            print("frame", frame.result())
    print("closed", socket.close_code)


asyncio.run(main(sys.argv[1]))

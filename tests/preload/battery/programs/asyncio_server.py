"""Serves the files of a folder over HTTP/1.1 with asyncio: small ones by two writes, large ones by sendfile."""
import asyncio
import os
import sys


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            close = "Connection: close" in head
            path = os.path.join(sys.argv[2], target.lstrip("/"))
            found = os.path.isfile(path)
            length = os.path.getsize(path) if found else 7
            status = "200 OK" if found else "404 Not Found"
            ending = "Connection: close\r\n" if close else ""
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{ending}\r\n".encode())
            if method == "HEAD":
                pass
            elif not found:
                writer.write(b"nothing")
            else:
                with open(path, "rb") as file:
                    if length > 200_000:
                        await asyncio.get_running_loop().sendfile(writer.transport, file)
                    else:
                        writer.write(file.read())
            await writer.drain()
            if close:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    host, port = sys.argv[1].split(":")
    server = await asyncio.start_server(serve, host, int(port), backlog=4096)
    async with server:
        await server.serve_forever()


asyncio.run(main())

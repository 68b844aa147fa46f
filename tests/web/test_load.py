"""A thousand at once: nobody is lost, and the memory stays."""

import asyncio
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from served import ask

pytestmark = pytest.mark.slow

MEMORY = Path("/proc/self/status")


@pytest.fixture
def process(cells_run):
    """A server in a process of its own: (process, url)."""
    command = [sys.executable, "-m", "perpixel", "serve", str(cells_run.folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield process, process.stdout.readline().split()[1]
    process.terminate()
    process.communicate(timeout=30)


def resident_mb(process):
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def picture():
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


async def asked(url, body):
    """One prediction on a connection of its own: the status, whether it says when to come back, and the size."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    lines = (
        "POST /v1/predict HTTP/1.1",
        f"Host: {place.netloc}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    header, _, content = answer.partition(b"\r\n\r\n")
    return int(header.split()[1]), b"retry-after: " in header.lower(), len(content)


async def all_asked(url, body, number):
    return await asyncio.gather(*(asked(url, body) for _ in range(number)))


@pytest.mark.skipif(not MEMORY.exists(), reason="the memory of another process is read from /proc")
def test_a_thousand_requests_at_once_are_all_answered_in_the_same_memory(process):
    server, url = process
    body = picture()
    assert ask(url, "GET", "/v1/model").status == 200
    for _ in range(2):
        asyncio.run(all_asked(url, body, 1000))
    before = resident_mb(server)
    answers = asyncio.run(all_asked(url, body, 1000))
    after = resident_mb(server)
    seen = Counter(status for status, _, _ in answers)
    print(dict(seen), f"{before:.0f} MB before, {after:.0f} MB after")
    assert set(seen) <= {200, 429}
    assert seen[200] >= 32
    assert all(says_when for status, says_when, _ in answers if status == 429)
    assert all(size > 100 for status, _, size in answers if status == 200)
    assert after <= 1.05 * before
    assert ask(url, "POST", "/v1/predict", body).status == 200

"""What the README tells a newcomer to type."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from tests.e2e.stack import Stack

_ROOT = Path(__file__).parents[2]
_MARK = "<!-- tests/e2e/test_readme.py runs these commands -->\n```sh\n"


def commands() -> str:
    """The README's first payment."""
    _, _, rest = (_ROOT / "README.md").read_text().partition(_MARK)
    block, _, _ = rest.partition("```")
    return block


async def test_the_first_payment_is_paid_as_written(stack: Stack) -> None:
    """The commands run as they stand, but for the address: both payments complete, and Alice's
    balance is shown."""
    script = re.sub(r"API=http://\S+", f"API={stack.gateway}", commands())
    assert f"API={stack.gateway}" in script
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        cwd=_ROOT,
        env={
            **os.environ,
            "QRPAY_DATA": str(stack.data),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    decoder, text, answers = json.JSONDecoder(), output.decode().strip(), []
    while text:
        answer, end = decoder.raw_decode(text)
        answers.append(answer)
        text = text[end:].lstrip()
    sent, charged, wallets = answers
    assert (sent["status"], sent["amount"], sent["note"]) == ("COMPLETED", 1250, "lunch")
    assert (charged["status"], charged["amount"], charged["order_ref"]) == ("COMPLETED", 420, "17")
    assert {item["currency"] for item in wallets["items"]} == {"EUR", "USD"}

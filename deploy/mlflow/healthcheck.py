"""Exit code 0 when the tracking server answers 200 within 4 seconds."""

import urllib.request

with urllib.request.urlopen("http://127.0.0.1:5000/health", timeout=4) as answer:
    assert answer.status == 200, answer.status

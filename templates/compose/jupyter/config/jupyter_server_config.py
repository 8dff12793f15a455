"""JupyterLab's options; its token comes from the file in JUPYTER_TOKEN_FILE."""

import hashlib
import os
from pathlib import Path
from typing import Any

# Jupyter defines it before it runs this file.
c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821

c.ServerApp.ip = os.environ["JUPYTER_ADDRESS"]
c.ServerApp.port = int(os.environ["JUPYTER_PORT"])
if os.environ.get("JUPYTER_BEHIND_PROXY"):
    # It listens on loopback, but browsers use the names of the proxy, which says that it has TLS.
    c.ServerApp.allow_remote_access = True
    c.ServerApp.trust_xheaders = True
# No other port is published.
c.ServerApp.port_retries = 0
c.ServerApp.root_dir = os.environ["NOTEBOOKS"]
c.ServerApp.open_browser = False
# Only without containers, when root starts the stack.
c.ServerApp.allow_root = True
# Cookies are signed with a hash of the token, so that a new token logs everyone out.
token = Path(os.environ["JUPYTER_TOKEN_FILE"]).read_bytes()
c.ServerApp.cookie_secret = hashlib.sha256(b"cookies of JupyterLab\0" + token).digest()
# The token is a setting of the stack.
c.PasswordIdentityProvider.allow_password_change = False

# Without the Internet, each of these would wait and fail; packages are a setting of the stack.
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"

"""pgAdmin's options, which its `config.py` documents. They replace its package's own."""

import os

DATA_DIR = os.environ["PGADMIN_DATA"]
# The value of the package.
HELP_PATH = "../../docs/en_US/_build/html/"
# Everything is logged to the service's log, too.
LOG_FILE = os.devnull

# The login is a setting of the stack. It is long, so that guessing it need not lock it.
MFA_ENABLED = False
MAX_LOGIN_ATTEMPTS = 0
# No mail with a link that changes the password is sent.
MAIL_SUPPRESS_SEND = True
# The database's password is not in pgAdmin, so there is nothing to encrypt.
MASTER_PASSWORD_REQUIRED = False

# Without the Internet, each of these would wait and fail.
UPGRADE_CHECK_ENABLED = False
SHOW_GRAVATAR_IMAGE = False
LLM_ENABLED = False
# Only the stack's database is listed.
AUTO_DISCOVER_SERVERS = False

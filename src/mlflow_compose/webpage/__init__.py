"""The teacher's web page: the seats of a class, live, with buttons to restart and reset them.

`live` looks at the board in one thread and pushes what it finds to all browsers, `work` runs what
buttons ask for, one at a time. `access` knows who is logged in, `guard` refuses what other sites
and wrong names send, `app` answers requests, and `server` runs it until the command ends. The page
itself is plain HTML, CSS and JavaScript in `templates/class-page/`.
"""

from mlflow_compose.webpage.page import Page
from mlflow_compose.webpage.server import listen, serving, wait

__all__ = ["Page", "listen", "serving", "wait"]

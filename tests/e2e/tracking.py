"""MLflow's REST API as any program may call it, independent of the tool's own client."""

from typing import Any

import requests

MLFLOW = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


class Api:
    """A tracking server, used with or without a login, in the default or another workspace."""

    def __init__(self, url: str, login: tuple[str, str] | None = None, workspace: str = "") -> None:
        self.url = url
        self.workspace = workspace
        self.login = login

    def call(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send one request and return the response, whatever its status."""
        with requests.Session() as session:
            # Ignore proxies and .netrc of the environment.
            session.trust_env = False
            session.auth = self.login
            if self.workspace:
                session.headers["X-MLFLOW-WORKSPACE"] = self.workspace
            return session.request(method, self.url + path, timeout=30, **options)

    def get(self, endpoint: str, /, **parameters: object) -> dict[str, Any]:
        """Call a GET endpoint of MLflow, which must succeed."""
        return _json(self.call("GET", f"{MLFLOW}/{endpoint}", params=parameters))

    def post(self, endpoint: str, /, **body: object) -> dict[str, Any]:
        """Call a POST endpoint of MLflow, which must succeed."""
        return _json(self.call("POST", f"{MLFLOW}/{endpoint}", json=body))

    def artifact(self, method: str, key: str, content: bytes | None = None) -> requests.Response:
        """Store, fetch or delete an artifact through the server, by its path in the bucket."""
        answer = self.call(method, f"{ARTIFACTS}/{key}", data=content)
        assert answer.ok, f"{method} {key}: {answer.status_code} {answer.text[:300]}"
        return answer


def _json(answer: requests.Response) -> dict[str, Any]:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}"
    found: dict[str, Any] = answer.json()
    return found

"""A server of a model: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/."""

from typing import Any

SHOWN_CHARACTERS = 300
# Seconds; the first prediction may load more of the model.
TIMEOUT = 120.0


class ModelError(Exception):
    """The server of a model refused a request, or did not answer."""


class ModelServer:
    """A client of the model at `url`."""

    def __init__(self, url: str) -> None:
        import requests

        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def ping(self) -> None:
        """Make sure that the model is loaded.

        Raises:
            ModelError: It is not.
        """
        self._call("GET", "/ping")

    def predict(self, body: bytes) -> Any:  # noqa: ANN401 - any JSON
        """Return the answer to a request in MLflow's JSON format.

        Raises:
            ModelError: There is no answer, or not with predictions.
        """
        answer = self._call("POST", "/invocations", body)
        try:
            return answer.json()
        except ValueError:
            raise ModelError(f"it answered without JSON: {answer.text[:80]}") from None

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401
        import requests

        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._session.request(
                method, self.url + path, data=body, headers=headers, timeout=TIMEOUT
            )
        except requests.RequestException as error:
            raise ModelError(f"{method} {path} got no answer: {error}") from error
        if not answer.ok:
            text = " ".join(answer.text.split())[:SHOWN_CHARACTERS]
            raise ModelError(f"{method} {path} answered {answer.status_code}: {text}")
        return answer

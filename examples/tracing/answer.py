"""Trace a small program that answers questions, with a prompt from the registry."""

# %%
import mlflow
from mlflow.entities import SpanType

PROMPT, ALIAS = "example-answer", "production"
mlflow.set_experiment("example: tracing")

# %% [markdown]
# A prompt is a text with variables that has versions, as a model has. Programs refer to an alias.

# %%
mlflow.genai.register_prompt(PROMPT, "{{question}} Facts: {{facts}}")
version = mlflow.genai.register_prompt(
    PROMPT, "Answer in one sentence: {{question}}\nUse only: {{facts}}", commit_message="be brief"
).version
mlflow.genai.set_prompt_alias(PROMPT, ALIAS, version)

# %% [markdown]
# A decorated function becomes a span of the trace; calls between them become its tree.

# %%
FACTS = {
    "run": "a run is one execution of training code",
    "artifact": "an artifact is a file that belongs to a run",
    "alias": "an alias is a name for one version of a model",
}


@mlflow.trace(span_type=SpanType.RETRIEVER)
def look_up(question: str) -> list[str]:
    """Return the facts whose key is in the question."""
    return [fact for key, fact in FACTS.items() if key in question.lower()]


@mlflow.trace(span_type=SpanType.CHAT_MODEL)
def complete(text: str) -> str:
    """Return the first fact of a prompt; a real program would call a language model here."""
    return text.partition("Use only: ")[2].partition(";")[0] or "I do not know."


@mlflow.trace
def answer(question: str) -> str:
    """Answer a question."""
    prompt = mlflow.genai.load_prompt(f"prompts:/{PROMPT}@{ALIAS}")
    return complete(prompt.format(question=question, facts="; ".join(look_up(question))))


# %%
for question in ("What is a run?", "What is an alias?", "What is the weather?"):
    print(question, answer(question))

# %% [markdown]
# Traces are sent in the background: wait for them, then rate one.

# %%
mlflow.flush_trace_async_logging()
newest = mlflow.get_last_active_trace_id()
mlflow.log_feedback(trace_id=newest, name="useful", value=False, rationale="it does not know")

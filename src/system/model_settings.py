"""The settings of the model and of what it writes, a part of `config.Settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from src.system.setting_types import MirrorUrl, Revision

MAX_VOICE = 2_000  # characters: the model reads them before every text


class ModelSettings(BaseModel):
    """What an owner can set about the model, its texts and its process."""

    model: str = Field("embedded", min_length=1, description="`embedded`, a hub id (owner/name), or a folder")
    model_revision: Revision = Field("", description="the commit of a hub model, 40 hex digits")
    hf_endpoint: MirrorUrl = Field(
        "https://huggingface.co", description="where `model update` downloads: the hub or a mirror"
    )
    hf_token: SecretStr | None = Field(
        None, description="access token for a hub model behind a licence or a login"
    )
    mode: Literal["auto", "hook", "rewrite", "free"] = Field(
        "auto",
        description=(
            "what the model writes: hook (an opening), rewrite, free (unchecked facts!); auto is hook"
        ),
    )
    voice: str = Field(
        "",
        max_length=MAX_VOICE,
        description="how a model with a chat template shall write: a text, or a file that holds it",
    )
    temperature: float | None = Field(
        None, gt=0, le=2, description="how freely the model chooses its words; not set: as its maker says"
    )
    top_p: float | None = Field(
        None, gt=0, le=1, description="the share of likely words it chooses from; not set: as its maker says"
    )
    top_k: int | None = Field(
        None, ge=0, le=1000, description="of how many words it chooses, 0: of all; not set: as its maker says"
    )
    max_new_tokens: int | None = Field(
        None, ge=4, le=512, description="longest text in tokens; not set: 24 for an opening, 72 for a tweet"
    )
    openings: Literal["best", "model", "vetted"] = Field(
        "best",
        description=(
            "what leads: best (the model's where good enough), model (its best always), vetted (no model)"
        ),
    )
    candidates: int = Field(
        16, ge=0, le=64, description="openings of a round, of at most three for each tweet; 0: no model"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto",
        description="where a hub model writes: auto (a GPU if torch sees one), cpu, cuda, mps",
    )
    generate_seconds: int = Field(240, ge=5, le=1800, description="time limit of the model's process")
    generate_memory_mb: int = Field(
        0, ge=0, le=262144, description="address-space limit of the model, MB; 0 for none"
    )

    @property
    def mode_in_force(self) -> Literal["hook", "rewrite", "free"]:
        """Return what the model that MODEL names writes: `auto` is the opening, no size makes more safe."""
        return "hook" if self.mode == "auto" else self.mode

    @property
    def model_left_out(self) -> str:
        """Return the setting that leaves the model out, as it is typed; empty where the model writes."""
        if self.openings == "vetted":
            return "OPENINGS=vetted"
        return "" if self.candidates else "CANDIDATES=0"

    @property
    def sampling_overrides(self) -> dict[str, float | int]:
        """Return the sampling that the owner set, by the names of transformers' `GenerationConfig`."""
        given = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "max_new_tokens": self.max_new_tokens,
        }
        return {name: value for name, value in given.items() if value is not None}

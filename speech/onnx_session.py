"""Sessions of onnxruntime that share a machine with the other stages, and what they raise."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from atonce.config.errors import ModelError

SESSION_FAULTS: tuple[type[Exception], ...] = (
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.NoSuchFile,
    faults.NotImplemented,
    faults.RuntimeException,
)
"""What onnxruntime raises: classes below no common one but Exception."""
SPEAKING_FAULTS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    KeyError,
    IndexError,
    *SESSION_FAULTS,
)
"""What a voice raises on a text that it cannot speak."""


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """One thread that never spins: more of them steal the cores the other stages need."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")

    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except SESSION_FAULTS as error:
        raise ModelError(
            f"the model file {path} is damaged or of another kind; get it again where it came from"
        ) from error


def session_faults() -> tuple[type[Exception], ...]:
    """What a session raises while it works."""
    return SESSION_FAULTS

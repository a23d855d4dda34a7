"""Before anything is imported: the tests run side by side, and so does what they start."""

import os

# Each worker's matrices on a thread of its own: more would wait for each other, busily.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from backend.engines.mlx_whisper import preload_openblas

# Some modules of tests import MLX before an engine does, which would find a BLAS that is slow.
preload_openblas()

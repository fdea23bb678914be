"""Loaded first by each process of a system in the yard: its wrong clock and its planted bug.

The yard puts this folder on the processes' path; the product knows nothing of it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from types import ModuleType
from typing import Any

if os.environ.get("YARD_CLOCK_FILE") or os.environ.get("YARD_BUG"):
    import yard_bugs  # type: ignore[import-not-found]  # beside this file, on the path

    class _PatchingFinder(importlib.abc.MetaPathFinder):
        """Lets a module be patched right after it was loaded."""

        def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
            """The ordinary spec, with a loader that patches."""
            patches = yard_bugs.patches_of(fullname)
            if not patches:
                return None
            spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                load = spec.loader.exec_module

                def load_and_patch(module: ModuleType) -> None:
                    load(module)
                    for patch in patches:
                        patch(module)

                spec.loader.exec_module = load_and_patch  # type: ignore[method-assign]
            return spec

    sys.meta_path.insert(0, _PatchingFinder())

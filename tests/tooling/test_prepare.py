"""What `make run` does before it starts anything."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests import servers


def test_static_files_are_collected_again_only_when_one_has_changed(
    prepared_var_dir: Path, tmp_path: Path
) -> None:
    var_dir = tmp_path / "var"
    shutil.copytree(prepared_var_dir, var_dir)
    manifest = var_dir / "static" / "staticfiles.json"
    made_at = manifest.stat().st_mtime_ns

    servers.prepare(var_dir)

    assert manifest.stat().st_mtime_ns == made_at

    (var_dir / "static-sources").write_text("of another version")
    servers.prepare(var_dir)

    assert manifest.stat().st_mtime_ns > made_at

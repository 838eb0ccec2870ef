"""Builds the Debian and RPM packages of packaging/recipe.toml.

    python packaging/build.py deb [rpm] [--out DIR] [--version TEXT]… [--quick]

Libraries are those of requirements/run.txt, by their hashes, for every Python that PYTHONS names:
what is compiled for one of them carries its name, so that one folder serves all. Needs pip, for
Debian packages dpkg-deb, for RPM rpmbuild (Debian: rpm). Times in packages are that of the commit.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LIBRARIES = "usr/lib/muster"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""Those of Debian 12 and 13, Ubuntu 24.04 and what follows; the first one runs this."""
PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
BUILD_ONLY = frozenset(
    {"editables", "hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}
)
"""Names of requirements/run.txt that only `pip install -e .` needs."""
OVERRIDES = """\
# Libraries are what their projects built, to the byte: the hashes of the lock file hold.
{name}: unstripped-binary-or-object
{name}: embedded-library
{name}: unusual-interpreter
"""


def main(arguments: Sequence[str]) -> int:
    """Build what is asked for. Exit code 2 where a tool is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="+", choices=("deb", "rpm"))
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--version", action="append", help="of the packages; several: all of them")
    parser.add_argument("--quick", action="store_true", help="larger, and built sooner")
    parser.add_argument("--python", action="append", help="versions of Python (all that we know)")
    asked = parser.parse_args(arguments)
    tools = {"deb": "dpkg-deb", "rpm": "rpmbuild"}
    missing = [tools[kind] for kind in asked.kinds if shutil.which(tools[kind]) is None]
    if missing:
        print(f"packages need {' and '.join(missing)}", file=sys.stderr)
        return 2
    os.environ.setdefault("SOURCE_DATE_EPOCH", _committed())
    with (HERE / "recipe.toml").open("rb") as file:
        recipe = tomllib.load(file)
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        libraries = Libraries(work, recipe["libraries"], asked.python or PYTHONS)
        versions = asked.version or [_version()]
        manuals = _manuals(work / "manuals", versions[0])
        for name, package in recipe["packages"].items():
            tree = work / name
            _fill(tree, name, package, libraries, manuals)
            for version in versions:
                made = Package(name, version, package, recipe["project"], tree, work)
                made.quick = asked.quick
                for kind in asked.kinds:
                    path = made.deb(asked.out) if kind == "deb" else made.rpm(asked.out)
                    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


class Libraries:
    """The project and its libraries, unpacked once, and shared out by the recipe's lists."""

    def __init__(
        self, work: Path, lists: Mapping[str, Sequence[str]], pythons: Sequence[str]
    ) -> None:
        self._work, self._lists, self._pythons = work, lists, pythons
        self._locked = _locked(ROOT / "requirements" / "run.txt")
        listed = {name for names in lists.values() for name in names}
        if unlisted := self._locked.keys() - listed - BUILD_ONLY:
            raise SystemExit(f"packaging/recipe.toml names no package for {sorted(unlisted)}")

    def put(self, which: str, folder: Path) -> None:
        """Unpack a list, and for `run` the project itself, into a folder."""
        lines = "".join(self._locked[name] for name in self._lists[which] if name in self._locked)
        requirements = self._work / f"{which}.txt"
        requirements.write_text(lines)
        for python in self._pythons:
            target = self._work / f"{which}-{python}"
            wanted = [f"--platform={name}_{_machine()}" for name in PLATFORMS]
            _run(
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"),
                *("--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"),
                *(f"--python-version={python}", "--implementation=cp", *wanted),
                *(f"--target={target}", f"--requirement={requirements}"),
            )
            _merge(target, folder)
        if which == "run":
            _run(
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"),
                *("--disable-pip-version-check", "--no-build-isolation"),
                *(f"--target={self._work / 'own'}", str(ROOT)),
            )
            _merge(self._work / "own", folder)
        # Programs of libraries are not ours to install.
        shutil.rmtree(folder / "bin", ignore_errors=True)


class Package:
    """One package, filled and described, in the forms of Debian and of RPM."""

    quick = False

    def __init__(
        self,
        name: str,
        version: str,
        package: Mapping[str, Any],
        project: Mapping[str, str],
        tree: Path,
        work: Path,
    ) -> None:
        self.name, self.version = name, version
        self._package, self._project = package, project
        self._tree, self._work = tree, work

    @property
    def _config(self) -> list[str]:
        return [path for _, path, mode in self._package["files"] if mode == "config"]

    def _depends(self, kind: str) -> list[str]:
        version = self._full if kind == "deb" else f"{self.version}-1"
        return [one.format(version=version) for one in self._package["depends"][kind]]

    @property
    def _full(self) -> str:
        return f"{self.version}-1"

    def _script(self, name: str) -> str:
        """A maintainer script: @USER@, @COMMON@ and @UNITS@ to @END@ stay where they apply."""
        package = self._package
        units = package.get("units", [])
        text = (HERE / "scripts" / name).read_text()
        if not units:
            text = re.sub(r"@UNITS@\n.*?@END@\n", "", text, flags=re.S)
        text = text.replace("@UNITS@\n", "").replace("@END@\n", "")
        applies = {
            "@USER@": "user" in package,
            "@COMMON@": "libraries" in package,
            "@LISTEN@": any(unit.endswith(".socket") for unit in units),
        }
        for mark, kept in applies.items():
            text = re.sub(mark if kept else rf"^ *{mark}.*\n", "", text, flags=re.M)
        values = {
            "VERSION": self._full,
            "PACKAGE": self.name,
            "USERNAME": package.get("user", ""),
            "HOME": package.get("home", ""),
            "UNITNAMES": " ".join(units),
            "SOCKETS": " ".join(unit for unit in units if unit.endswith(".socket")),
            "SERVICES": " ".join(unit for unit in units if not unit.endswith(".socket")),
        }
        for value, content in values.items():
            text = text.replace(f"@{value}@", content)
        return re.sub(r"if \[ [^\n]*; then\n(?: *#[^\n]*\n)*fi\n", "", text)

    def deb(self, out: Path) -> Path:
        """Build the Debian package. Returns its path."""
        control = self._tree / "DEBIAN"
        control.mkdir()
        size = sum(path.stat().st_size for path in self._files()) // 1024
        fields = {
            "Package": self.name,
            "Version": self._full,
            "Architecture": _architecture(),
            "Maintainer": self._project["maintainer"],
            "Installed-Size": str(size),
            "Depends": ", ".join(self._depends("deb")),
            "Section": "admin",
            "Priority": "optional",
            "Homepage": self._project["homepage"],
            "Description": self._package["summary"] + "\n" + _paragraph(self._package["text"]),
        }
        _write(control / "control", "".join(f"{key}: {value}\n" for key, value in fields.items()))
        _write(control / "conffiles", "".join(f"{path}\n" for path in self._config))
        sums = [
            f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  "
            f"{path.relative_to(self._tree)}\n"
            for path in self._files()
            if f"/{path.relative_to(self._tree)}" not in self._config
        ]
        _write(control / "md5sums", "".join(sums))
        for name in ("preinst", "postinst", "prerm", "postrm"):
            script = self._script(f"deb.{name}")
            if len(script.splitlines()) > 2:
                _write(control / name, script, 0o755)
        if not self._config:
            (control / "conffiles").unlink()
        _touch(self._tree)
        path = out / f"{self.name}_{self._full}_{_architecture()}.deb"
        form = ("-Zgzip", "-z1") if self.quick else ("-Zxz",)
        _run("dpkg-deb", "--build", "--root-owner-group", *form, str(self._tree), str(path))
        shutil.rmtree(control)
        return path

    def rpm(self, out: Path) -> Path:
        """Build the RPM package. Returns its path."""
        top = self._work / f"rpm-{self.name}-{self.version}"
        payload = "w1.gzdio" if self.quick else "w9.xzdio"
        files = [
            f"%config(noreplace) {path}" if path in self._config else f'"{path}"'
            for path in (f"/{path.relative_to(self._tree)}" for path in self._files(all_files=True))
        ]
        # Folders that are ours go with the package, those of the system do not.
        files += [
            f"%dir /{path.relative_to(self._tree)}"
            for top_folder in (LIBRARIES, f"usr/share/doc/{self.name}")
            for path in (self._tree / top_folder, *sorted((self._tree / top_folder).rglob("*")))
            if path.is_dir()
        ]
        spec = f"""\
Name: {self.name}
Version: {self.version}
Release: 1
Summary: {self._package["summary"]}
License: {self._project["licence"]}
URL: {self._project["homepage"]}
AutoReqProv: no
{"".join(f"Requires: {one}{chr(10)}" for one in self._depends("rpm"))}
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
%define _build_id_links none
%description
{textwrap.fill(" ".join(self._package["text"].split()), 78)}
%install
mkdir -p %{{buildroot}}
cp -a "{self._tree}/." %{{buildroot}}/
{self._rpm_script("pre")}{self._rpm_script("post")}{self._rpm_script("preun")}\
{self._rpm_script("posttrans")}
%files
%defattr(-,root,root,-)
{chr(10).join(files)}
"""
        top.mkdir()
        _write(top / "package.spec", spec)
        _run(
            *("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}"),
            *("--define", f"_rpmdir {top}/out", "--define", f"_binary_payload {payload}"),
            *("--define", "use_source_date_epoch_as_buildtime 1"),
            *("--define", "_buildhost muster", str(top / "package.spec")),
        )
        (built,) = (top / "out").rglob("*.rpm")
        return Path(shutil.move(built, out / built.name))

    def _rpm_script(self, name: str) -> str:
        source = HERE / "scripts" / f"rpm.{name}"
        script = self._script(source.name) if source.exists() else ""
        return f"%{name}\n{script}\n" if script.strip() else ""

    def _files(self, *, all_files: bool = False) -> list[Path]:
        return sorted(
            path
            for path in self._tree.rglob("*")
            if (path.is_file() or (all_files and path.is_symlink())) and "DEBIAN" not in path.parts
        )


def _fill(
    tree: Path, name: str, package: Mapping[str, Any], libraries: Libraries, manuals: Path
) -> None:
    """Put everything of a package where it belongs."""
    for source, path, mode in package["files"]:
        _copy(ROOT / source, tree / path[1:], 0o755 if mode == "0755" else 0o644)
    for unit in package.get("units", []):
        _copy(HERE / "systemd" / unit, tree / "usr/lib/systemd/system" / unit)
    if "libraries" in package:
        libraries.put(package["libraries"], tree / LIBRARIES)
    document = tree / "usr/share/doc" / name
    document.mkdir(parents=True, exist_ok=True)
    _write(document / "copyright", _copyright(tree / LIBRARIES))
    _zip(document / "changelog.Debian.gz", _changelog(name))
    man = tree / "usr/share/man/man1"
    for first in package.get("manuals", []):
        stem = first if first == "muster" else f"muster-{first}"
        for page in sorted(manuals.glob(f"{stem}.1" if first == "muster" else f"{stem}[.-]*1")):
            _zip(man / f"{page.name}.gz", page.read_text())
    if "libraries" in package:
        overrides = tree / "usr/share/lintian/overrides" / name
        _write(overrides, OVERRIDES.format(name=name))
    if package.get("completions"):
        _completions(tree / "usr/share")
    for folder in (path for path in tree.rglob("*") if path.is_dir()):
        folder.chmod(0o755)


def _completions(share: Path) -> None:
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    from muster.cli.main import muster

    places = {
        BashComplete: share / "bash-completion/completions/muster",
        ZshComplete: share / "zsh/vendor-completions/_muster",
        FishComplete: share / "fish/vendor_completions.d/muster.fish",
    }
    for kind, path in places.items():
        script = kind(muster, {}, "muster", "_MUSTER_COMPLETE")
        _write(path, script.source_template % script.source_vars())


def _manuals(folder: Path, version: str) -> Path:
    """A manual page for each command, out of its help."""
    from click_man.core import write_man_pages  # type: ignore[import-untyped]

    from muster.cli.main import muster

    folder.mkdir()
    write_man_pages("muster", muster, version=version, target_dir=str(folder))
    return folder


def _copyright(libraries: Path) -> str:
    """Machine-readable copyright (DEP 5): ours, and what each library says of itself."""
    parts = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: Muster\n\n"
        "Files: *\nCopyright: 2026 The Muster engineers\nLicense: Apache-2.0\n"
        " On Debian systems the whole licence is in /usr/share/common-licenses/Apache-2.0.\n"
    ]
    for metadata in sorted(libraries.glob("*.dist-info/METADATA")):
        text = metadata.read_text(errors="replace").split("\n\n")[0]
        fields = dict(re.findall(r"^(Name|License-Expression|License|Author): (.*)$", text, re.M))
        if fields["Name"] == "muster-activation":
            continue
        licence = fields.get("License-Expression") or fields.get("License") or "see its METADATA"
        parts.append(
            f"Files: usr/lib/muster/{metadata.parent.name.split('-')[0]}*\n"
            f"Copyright: {fields.get('Author', 'the authors of')} {fields['Name']}\n"
            f"License: {licence.replace(' ', '-')[:60]}\n"
            f" The text is in /usr/lib/muster/{metadata.parent.name}.\n"
        )
    return "\n".join(parts)


def _changelog(name: str) -> str:
    when = formatdate(int(os.environ["SOURCE_DATE_EPOCH"]))
    project = tomllib.loads((HERE / "recipe.toml").read_text())["project"]
    return (
        f"{name} ({_version()}-1) unstable; urgency=medium\n\n"
        "  * What users notice is in CHANGELOG.md of the project.\n\n"
        f" -- {project['maintainer']}  {when}\n"
    )


def _locked(path: Path) -> dict[str, str]:
    """The entries of a lock file by name, with their hashes; markers of other systems go."""
    entries: dict[str, str] = {}
    for entry in re.split(r"\n(?=[a-zA-Z])", path.read_text()):
        found = re.match(r"([A-Za-z0-9._-]+)==", entry)
        if found and "sys_platform == 'win32'" not in entry:
            entries[found[1]] = entry.rstrip() + "\n"
    return entries


def _merge(source: Path, folder: Path) -> None:
    """Copy what is not there; what is there already must be the same."""
    for path in sorted(source.rglob("*")):
        place = folder / path.relative_to(source)
        if path.is_dir() or path.name in {"RECORD", "direct_url.json"}:
            continue
        if place.exists() and place.suffix not in {"", ".py", ".pyi"}:
            continue
        if not place.exists():
            _copy(path, place)


def _copy(source: Path, place: Path, mode: int = 0o644) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    place.chmod(mode)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _zip(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    path.chmod(0o644)


def _touch(tree: Path) -> None:
    when = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in (tree, *tree.rglob("*")):
        os.utime(path, (when, when), follow_symlinks=False)


def _paragraph(text: str) -> str:
    return "\n".join(
        textwrap.wrap(" ".join(text.split()), 76, initial_indent=" ", subsequent_indent=" ")
    )


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def _machine() -> str:
    return MACHINES[_architecture()]


def _version() -> str:
    text = (ROOT / "pyproject.toml").read_text()
    return str(tomllib.loads(text)["project"]["version"])


def _committed() -> str:
    found = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"],
        capture_output=True,
        text=True,
        check=False,
    )
    # Without git: that of the newest change that the project lists.
    newest = int((ROOT / "CHANGELOG.md").stat().st_mtime)
    return found.stdout.strip() or str(newest)


def _run(*command: str) -> None:
    subprocess.run(list(command), check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

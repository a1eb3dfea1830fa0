"""Real Caddy and Apache on a free port, with the configurations that `registry webserver` writes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.nginx import answering, nginx

_MODULES = ("alias", "authz_core", "deflate", "dir", "filter", "headers", "mime", "mpm_event", "rewrite")
_APACHE_MODULES = ("/usr/lib/apache2/modules", "/usr/libexec/apache2", "/opt/homebrew/lib/httpd/modules")
_PATH = (
    f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
)


@contextmanager
def webserver(server: str, configuration: str, port: int, folder: Path) -> Iterator[str]:
    """Run a web server with a configuration; gives the address it answers on."""
    if server == "nginx":
        with nginx(configuration, port, folder) as address:
            yield address
        return
    folder.mkdir()
    command = _caddy(configuration, folder) if server == "caddy" else _apache(configuration, folder)
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    with answering(process, port) as address:
        yield address


def _program(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name, path=_PATH))), None)
    assert found, f"{names[0]} is not installed: make test-engines installs it"
    return found


def _caddy(configuration: str, folder: Path) -> Sequence[str]:
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tpersist_config off\n}\n" + configuration)
    return [_program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]


def _apache(configuration: str, folder: Path) -> Sequence[str]:
    modules = next(Path(one) for one in _APACHE_MODULES if Path(one).is_dir())
    loaded = "".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so\n"
        for name in _MODULES
        if (modules / f"mod_{name}.so").exists()
    )
    (folder / "mime.types").write_text("text/html html\ntext/css css\n")
    # As root it would serve as another user, who may not read the test's folder.
    user = "User daemon\nGroup daemon\n" if os.geteuid() == 0 else ""
    file = folder / "httpd.conf"
    file.write_text(
        f'ServerRoot "{folder}"\nServerName localhost\nPidFile "{folder}/pid"\nErrorLog "{folder}/error.log"\n'
        f'DefaultRuntimeDir "{folder}"\nMutex file:{folder}\n{loaded}{user}TypesConfig "{folder}/mime.types"\n{configuration}'
    )
    return [_program("apache2", "httpd"), "-D", "FOREGROUND", "-f", str(file)]

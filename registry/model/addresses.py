"""Addresses of a site: the only module that knows where a page, an answer or an asset is; pure.

Functions return paths below the site's folder, without a slash at either end. A path of a folder contains an
`index.html` or `index.json`. A definition's page is at `<kind>/<name>/`, and every part of its name starts
with a letter or a digit, so every other page has a part that starts with `_`: `<kind>/<name>/_history/`,
`<kind>/_page/2/`. All names are therefore available, except those that `taken_part` finds. The addresses of
the API are those of the 2013 service and later additions.
"""

import hashlib
import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

API = "api"
# Files with all definitions as tables, and metadata of the first for Datasette.
SQLITE_TABLES = "registry.sqlite"
PARQUET_TABLES = "registry.parquet"
DATASETTE_METADATA = "datasette.yaml"
API_SNAPSHOT = f"{API}/snapshot.json"
API_LEDGER = f"{API}/ledger.ndjson"
API_OPENAPI = f"{API}/openapi.json"
INDEX_PAGE = "index.html"
NOT_FOUND_PAGE = "404.html"
CHANGES = "_changes"
API_PAGE = "_api"
DELETED_PAGE = "_deleted"
RECENT_PAGE = "_recent"
SEARCH = "_search"
ASSETS = "_assets"
SCHEMAS = "schema"
# Definitions in other formats: a folder below each page, and one at the top for what the files share.
EXPORTS = "_exports"
# Digests of all files, which publishing adds.
PUBLICATION = "_registry"
# The MCP Registry API, where the settings ask for it. No kind can have a name with a point.
MCP = "v0.1"
MCP_SERVERS = f"{MCP}/servers"
# Only on the live server: its additions to open pages.
LIVE = "_live"
# GitHub Pages omits folders that start with `_`, unless this empty file exists.
NO_JEKYLL = ".nojekyll"
# Rules that Cloudflare Pages and Netlify apply to the site; GitLab Pages reads the redirects.
HOST_HEADERS = "_headers"
HOST_REDIRECTS = "_redirects"
# Hosts read these files and do not all serve them: they are missing at a URL without being lost.
FOR_HOSTS = frozenset({NO_JEKYLL, HOST_HEADERS, HOST_REDIRECTS})

# Number of revisions on one page of a long history.
HISTORY_PAGE_SIZE = 50

API_INDEX = "index.json"
# A folder of the API has a twin for hosts without directory indexes: `x/index.json` is also `x.json`.
TWIN_ENDING = ".json"

# Path limits: a part with an ending must fit into 255 bytes.
MAX_NAME_BYTES = 200
# Kinds whose addresses would conflict with others: `api/` itself, and the twins `api/index.json`,
# `api/openapi.json` … `adapters` is the schema file that maps an adapter's type to its parameters for
# editors. The folder `ledger` beside those of the kinds holds the sealed segments of the ledger.
RESERVED_KINDS = frozenset({API, "adapters", "index", "ledger", "openapi", "snapshot"})

# Endings of site files. With them in a name, `x.json/` next to the twin `x.json` would be a file and a
# folder.
_TAKEN_ENDINGS = (TWIN_ENDING, ".html", ".yaml", ".yml", ".atom")
# As the last part of a name: the twin of `w/index` would be `w/index.json`, which answers requests for `w/`.
_TAKEN_LAST = "index"
_UNQUOTED = re.compile(r"[A-Za-z0-9_.~/+-]*\Z")
_DETAIL = re.compile(rf"{API}/([a-z0-9_]+)/(?:([1-9][0-9]{{0,15}})|by-name/(.+))\Z", re.DOTALL)
_BY_ID = "_by-id"
_LIST_PAGE = re.compile(rf"([a-z0-9_]+)(/{_BY_ID})?(?:/_page/([1-9][0-9]{{0,15}}))?\Z")
_PART = re.compile(r"[^\W_][\w.+-]*\Z")
_MCP_FILE = re.compile(
    rf"{re.escape(MCP_SERVERS)}/(?:_after/([1-9][0-9]{{0,15}})/|([^/]+/[^/]+)/versions/(?:[^/]+/)?)?index\.json\Z"
)
_NUMBERED = re.compile(r"(.+)/_page/([1-9][0-9]{0,15})\Z", re.DOTALL)
# Longest value that is a part of an address as it is.
_MOST_PART_BYTES = 100


class AddressForm(StrEnum):
    """A form of the addresses below `api/`."""

    SLASH = "slash"
    """`x/`, which is the file `x/index.json`."""
    JSON = "json"
    """`x.json`, which any host serves."""


class Group(StrEnum):
    """What definitions on one page have in common; the value is the first part of the page's address."""

    FOLDERS = "_folders"
    OWNERS = "_owners"
    TAGS = "_tags"
    ADAPTERS = "_adapters"
    LIFECYCLES = "_lifecycles"


PAGE_FOLDERS = (*Group, DELETED_PAGE, RECENT_PAGE, CHANGES, API_PAGE, SEARCH)
"""The folders of pages about the whole registry."""


def is_api(path: str) -> bool:
    """Return True for the path of an answer of the API; it can end with a slash."""
    return path.startswith(f"{API}/") or path in (API, API + TWIN_ENDING)


def api_list(kind: str, page: int = 1) -> str:
    """Address of a page of a kind's list, from 1."""
    return f"{API}/{kind}" if page == 1 else f"{API}/{kind}/page/{page}"


def api_detail(kind: str, number: int) -> str:
    """Address of one definition by id."""
    return f"{API}/{kind}/{number}"


def api_by_name(kind: str, name: str) -> str:
    """Address of one definition by name."""
    return f"{API}/{kind}/by-name/{name}"


def parse_api_file(file: str) -> tuple[str, int | str] | None:
    """Return kind and id or name of the definition whose answer is in a file; None for every other file."""
    place = file.removesuffix(f"/{API_INDEX}").removesuffix(TWIN_ENDING)
    found = _DETAIL.match(place)
    if found is None:
        return None
    kind, number, name = found.groups()
    return kind, int(number) if number else name


class PageFile(NamedTuple):
    """What a page is about: the definition `name` of a kind, or a page of the kind's list if it is empty."""

    kind: str
    name: str
    page: int
    is_by_id: bool = False


def parse_page_file(file: str) -> PageFile | None:
    """Return what the page in a file is about; None for a file that cannot be a page of a kind."""
    place = file.removesuffix(f"/{INDEX_PAGE}")
    if place == file:
        return None
    found = _LIST_PAGE.match(place)
    if found is not None:
        return PageFile(found[1], "", int(found[3] or 1), is_by_id=found[2] is not None)
    kind, *parts = place.split("/")
    own = next((number for number, part in enumerate(parts) if part.startswith("_")), len(parts))
    return PageFile(kind, "/".join(parts[:own]), 1) if own else None


def api_history(kind: str, number: int) -> str:
    """Address of the revisions of one definition."""
    return f"{API}/{kind}/{number}/history"


def api_revision(kind: str, number: int, revision: int | str) -> str:
    """Address of one definition at a revision."""
    return f"{API}/{kind}/{number}/revisions/{revision}"


def api_all(kind: str, ending: str) -> str:
    """Address of all definitions of a kind in one file, as `json` or `ndjson`."""
    return f"{API}/{kind}/all.{ending}"


def api_schema(kind: str) -> str:
    """Address of the JSON Schema of a kind's files in the API."""
    return f"{API}/{kind}/schema"


def is_mcp(path: str) -> bool:
    """Return True for the path of an answer of the MCP Registry API; it can end with a slash."""
    return path == MCP or path.startswith(f"{MCP}/")


def mcp_list(after: int = 0) -> str:
    """Address of a page of the list of MCP servers: those with ids after the given one."""
    return f"{MCP_SERVERS}/_after/{after}" if after else MCP_SERVERS


def mcp_server(name: str) -> str:
    """Folder of the answers for one MCP server."""
    return f"{MCP_SERVERS}/{name}"


def mcp_versions(name: str, version: str = "") -> str:
    """Address of the versions of an MCP server, or of one of them."""
    folder = f"{mcp_server(name)}/versions"
    return f"{folder}/{version}" if version else folder


def mcp_file(path: str) -> str:
    """Return the file of an answer of the MCP Registry API, which has no twin."""
    return f"{path}/{API_INDEX}"


def parse_mcp_file(file: str) -> int | str | None:
    """Return the id after which the list in a file starts, or the name of the server that the file is about.

    Returns None for every other file.
    """
    found = _MCP_FILE.match(file)
    if found is None:
        return None
    after, name = found.groups()
    return name if name else int(after or 0)


def schema_file(kind: str) -> str:
    """File of the JSON Schema of a kind's files, for editors."""
    return f"{SCHEMAS}/{kind}.schema.json"


def list_page(kind: str, page: int = 1) -> str:
    """Address of a page of a kind's list, from 1."""
    return kind if page == 1 else f"{kind}/_page/{page}"


def list_page_by_id(kind: str, page: int = 1) -> str:
    """Address of a page of a kind's list in order of id, from 1."""
    return numbered(f"{kind}/{_BY_ID}", page)


def users_page(kind: str, name: str, page: int = 1) -> str:
    """Address of a page of the definitions that refer to a definition, from 1."""
    return numbered(f"{kind}/{name}/_users", page)


def group_page(group: Group, value: str, page: int = 1) -> str:
    """Address of a page of the definitions with a value, from 1: `_tags/audio`.

    The value of a folder is its path, "" for the top one.
    """
    parts = value.split("/") if group is Group.FOLDERS else [value]
    return numbered("/".join([group, *map(_value_part, filter(None, parts))]), page)


def numbered(base: str, page: int) -> str:
    """Return the address of a page of a long list that starts at `base`, from 1."""
    return base if page == 1 else f"{base}/_page/{page}"


def parse_numbered(address: str) -> tuple[str, int]:
    """Return the address of the first page of a list, and the number of the page at `address`."""
    found = _NUMBERED.match(address)
    return (found[1], int(found[2])) if found is not None else (address, 1)


def _value_part(value: str) -> str:
    """Return a value as one part of an address; different values have different parts on every host.

    A value that differs from its folded form, or cannot be the name of a file, gets its ASCII letters and a
    digest. The result never depends on other values, so that it stays.
    """
    is_plain = (
        value == folded(value)
        and _PART.match(value) is not None
        and not value.endswith((".", *_TAKEN_ENDINGS))
        and len(value.encode()) <= _MOST_PART_BYTES
    )
    if is_plain:
        return value
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    letters = re.sub("[^a-z0-9]+", "-", value.lower()).strip("-")[:40]
    return f"_{letters}-{digest}" if letters else f"_{digest}"


def definition_page(kind: str, name: str) -> str:
    """Address of the page of one definition."""
    return f"{kind}/{name}"


def history_page(kind: str, name: str) -> str:
    """Address of the page of a definition's newest revisions: at most HISTORY_PAGE_SIZE."""
    return f"{kind}/{name}/_history"


def older_history_page(kind: str, name: str, first: int) -> str:
    """Address of the page with HISTORY_PAGE_SIZE older revisions, from the number `first` on.

    A revision never moves from one of these pages to another.
    """
    return f"{kind}/{name}/_history/{first}-{first + HISTORY_PAGE_SIZE - 1}"


def older_revisions(count: int) -> int:
    """Return how many revisions of a definition are on pages of older ones: those up to this number."""
    return max(0, count - 1) // HISTORY_PAGE_SIZE * HISTORY_PAGE_SIZE


def revision_anchor(kind: str, name: str, revision: int, count: int) -> str:
    """Return the place of a revision on the pages of a history of `count` revisions, with its fragment."""
    if revision > older_revisions(count):
        page = history_page(kind, name)
    else:
        page = older_history_page(kind, name, revision - (revision - 1) % HISTORY_PAGE_SIZE)
    return f"{href(page)}#revision-{revision}"


def revision_page(kind: str, name: str, revision: int) -> str:
    """Address of the page of one revision."""
    return f"{kind}/{name}/_revisions/{revision}"


def export_file(kind: str, name: str, format_: str, file: str) -> str:
    """Address of a definition in another format.

    The folder of the format separates files of the same name: `compose.yaml` is that of every definition in
    one format, and that of the definition `compose` in another.
    """
    return f"{kind}/{name}/{EXPORTS}/{format_}/{file}"


def shared_export_file(file: str) -> str:
    """Address of a file that exports of several definitions use."""
    return f"{EXPORTS}/{file}"


def is_export(path: str) -> bool:
    """Return True for the path of an export, or of a file that exports use."""
    return f"/{EXPORTS}/" in f"/{path}"


def parse_export_file(file: str) -> tuple[str, str] | None:
    """Return kind and name of the definition that a file is an export of; None for every other file."""
    place, found, _ = file.partition(f"/{EXPORTS}/")
    kind, _, name = place.partition("/")
    return (kind, name) if found and name else None


def search_rows(shard: str) -> str:
    """Address of rows of search results: those of about a hundred ids, or all if `shard` is empty."""
    return f"{SEARCH}/rows/{shard}.json" if shard else f"{SEARCH}/rows.json"


def search_terms(shard: str) -> str:
    """Address of the terms of the search in a shard, which is named by their first two letters."""
    return f"{SEARCH}/terms/{shard}.json"


def search_endings(shard: str) -> str:
    """Address of the words that end with the two letters of a shard, to find misspelled ones."""
    return f"{SEARCH}/endings/{shard}.json"


def search_facet(name: str) -> str:
    """Address of the values that the results of a search can be narrowed by."""
    return f"{SEARCH}/facets/{name}.json"


def asset(name: str, digest: str) -> str:
    """Address of a file that pages load; `digest` is of its content, so that hosts can cache it."""
    stem, dot, ending = name.rpartition(".")
    return f"{ASSETS}/{stem}.{digest}.{ending}" if dot else f"{ASSETS}/{name}.{digest}"


def page_file(path: str) -> str:
    """Return the file of a page that is a folder."""
    return f"{path}/{INDEX_PAGE}"


def api_files(path: str) -> tuple[str, str]:
    """Return the file of an answer that is a folder, and its twin."""
    return f"{path}/{API_INDEX}", path + TWIN_ENDING


def address_form(file: str) -> AddressForm | None:
    """Return the form of the address that a file of a site is for; None for a file with one address only."""
    if not file.startswith(f"{API}/") and file != f"{API}{TWIN_ENDING}":
        return None
    if file.endswith(f"/{API_INDEX}"):
        return AddressForm.SLASH
    # Not the twin of a definition that is called `all`, which is below `by-name/`.
    is_whole_kind = file.count("/") == 2 and file.endswith("/all.json")
    is_single = file in (API_SNAPSHOT, API_OPENAPI) or is_whole_kind
    return AddressForm.JSON if file.endswith(TWIN_ENDING) and not is_single else None


def answer_address(path: str, forms: str) -> str:
    """Return the address of an answer on a site with these forms of addresses (slash, json or both)."""
    return in_address(path) + (TWIN_ENDING if forms == AddressForm.JSON else "/")


def answer_file(path: str, forms: str) -> str:
    """Return the address of an answer's file, which needs no index files; `forms` as in `answer_address`."""
    return in_address(path) + (f"/{API_INDEX}" if forms == AddressForm.SLASH else TWIN_ENDING)


def top_from(file: str) -> str:
    """Return the relative path from a file to the top of the site: `../../`."""
    return "../" * file.count("/")


def href(path: str) -> str:
    """Return the path of a folder as part of an address, with a slash at the end."""
    return f"{in_address(path)}/"


def in_address(path: str) -> str:
    """Return a path or a definition's name as part of an address (RFC 3986)."""
    return path if _UNQUOTED.match(path) else quote(path, safe="/+~")


def taken_part(name: str) -> str | None:
    """Return the part of a definition's name whose address would conflict with another.

    The result is None if there is none. The comparison ignores case: on some hosts `Index.json` equals
    `index.json`.
    """
    parts = name.split("/")
    if folded(parts[-1]) == _TAKEN_LAST:
        return parts[-1]
    return next((part for part in parts if folded(part).endswith(_TAKEN_ENDINGS)), None)


def has_address(name: str) -> bool:
    """True for a name that can have its own page and answer; names in the ledger may be invalid."""
    fits = len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES
    return fits and all(_PART.match(part) for part in name.split("/")) and taken_part(name) is None


# Cached, because each update of a live registry compares all names.
@lru_cache(maxsize=65_536)
def folded(text: str) -> str:
    """Return a text as case-insensitive hosts compare it."""
    found = text.casefold()
    return found if found.isascii() else unicodedata.normalize("NFC", found)

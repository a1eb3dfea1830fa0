"""Create a Hugo site from the same definitions, for comparison with a build.

The site has one page and one JSON file per definition. The templates show the minimum of a definition page:
title, facts, the definition as a list, and the file. The sources are the original YAML files, or files
converted to JSON in advance, which Hugo reads faster. The history, which Hugo cannot read from git, is
included in both forms.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from registry.load import yaml

CONFIG = """baseURL = "https://example.org/"
title = "Definitions"
disableKinds = ["taxonomy", "term", "RSS", "sitemap"]
[outputs]
page = ["HTML", "JSON"]
"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ .Title }} – {{ site.Title }}</title></head>
<body><h1>{{ .Title }}</h1>
<p>{{ .Params.description }}</p>
<dl>{{ range $key, $value := .Params.definition }}<dt>{{ $key }}</dt>
<dd>{{ if reflect.IsMap $value }}<dl>{{ range $k, $v := $value }}<dt>{{ $k }}</dt>
<dd>{{ $v }}</dd>{{ end }}</dl>{{ else if reflect.IsSlice $value }}\
<ol>{{ range $value }}<li><code>{{ . }}</code></li>{{ end }}</ol>
{{ else }}<code>{{ $value }}</code>{{ end }}</dd>{{ end }}</dl>
<ul>{{ range .Params.tags }}<li>{{ . }}</li>{{ end }}</ul>
<ol>{{ range .Params.revisions }}<li>{{ .message }} · {{ .author }} · \
{{ .date }} · <code>{{ .commit }}</code></li>{{ end }}</ol>
<pre>{{ .RawContent }}</pre></body></html>
"""
ANSWER = '{{ dict "definition" .Params.definition "title" .Title "revisions" .Params.revisions | jsonify }}\n'
LIST = (
    "<!doctype html><title>{{ .Title }}</title><ul>"
    '{{ range .Pages }}<li><a href="{{ .RelPermalink }}">{{ .Title }}</a></li>{{ end }}</ul>\n'
)


def make_hugo_site(repository: Path, site: Path, folder: Path, *, as_json: bool = False) -> None:
    """Write Hugo's sources to `folder`.

    Each definition of `repository` becomes front matter with its revisions from the built `site`.
    """
    layouts = folder / "layouts/_default"
    layouts.mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG)
    (layouts / "single.html").write_text(PAGE)
    (layouts / "single.json").write_text(ANSWER)
    (layouts / "list.html").write_text(LIST)
    (folder / "layouts/index.html").write_text(LIST)
    for file in sorted((repository / "definitions").rglob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        data = yaml.read_data(text.encode())
        history = json.loads(
            (
                site / f"api/{file.relative_to(repository / 'definitions').parts[0]}/"
                f"{data['id']}/history/index.json"
            ).read_text()
        )
        facts = [
            {key: one[key] for key in ("commit", "author", "date", "message")} for one in history["revisions"]
        ]
        place = folder / "content" / file.relative_to(repository / "definitions").with_suffix(".md")
        place.parent.mkdir(parents=True, exist_ok=True)
        if as_json:  # only what the templates show
            shown = {
                "title": data["title"],
                "description": data.get("description", ""),
                "tags": data.get("tags", []),
                "definition": data["definition"],
            }
            front = json.dumps(shown | {"revisions": facts})
        else:  # JSON is valid YAML
            front = f"---\n{text}revisions: {json.dumps(facts)}\n---"
        place.write_text(f"{front}\n\n```\n{text}\n```\n", encoding="utf-8")

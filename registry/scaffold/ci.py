"""CI files: review every change against its target, assign ids on main and publish the site."""

import re
from collections.abc import Mapping

from registry import __version__
from registry.errors import UsageError

PLACEHOLDER = f"https://git.example.org/process-registry.git@v{__version__}"
"""Placeholder address for the installation in generated files: it cannot exist (RFC 2606).

The program is not on a package index: the name `process-registry` there belongs to an unknown party.
"""
# Each action is pinned to the commit of a release, because a tag can be moved.
ACTIONS: Mapping[str, tuple[str, str]] = {
    "actions/checkout": ("fbc6f3992d24b796d5a048ff273f7fcc4a7b6c09", "v5.1.0"),
    "actions/configure-pages": ("983d7736d9b0ae728b81ab479565c72886d7745b", "v5.0.0"),
    "actions/deploy-pages": ("cd2ce8fcbc39b97be8ca5fce6e763baed58fa128", "v5.0.0"),
    "actions/download-artifact": ("3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1"),
    "actions/setup-node": ("249970729cb0ef3589644e2896645e5dc5ba9c38", "v6.5.0"),
    "actions/setup-python": ("ece7cb06caefa5fff74198d8649806c4678c61a1", "v6.3.0"),
    "actions/upload-artifact": ("bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "v7.0.0"),
    "actions/upload-pages-artifact": ("fc324d3547104276b827a68afc52ff2a11cc49c9", "v5.0.0"),
    "https://code.forgejo.org/actions/checkout": ("11d5960a326750d5838078e36cf38b85af677262", "v4.4.0"),
}
# Folders that need no quotes in a shell, in YAML or in a path pattern.
_FOLDER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*(/[A-Za-z0-9._][A-Za-z0-9._-]*)*")

_GITHUB = """# Reviews every pull request with read access only, so that forks are safe. On main,
# assigns ids and publishes the site to GitHub Pages: in the settings of the repository, choose GitHub Actions
# as the source of Pages. registry-comment.yml posts the comment.
name: registry
on:
  pull_request:%(paths)s
  push:
    branches: [main]%(paths)s
permissions: {}
# One publication at a time; a new review replaces a waiting one.
concurrency:
  group: registry-${{ github.ref }}
jobs:
  review:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      contents: read
    steps:
      - uses: %(actions/checkout)s
        with: {fetch-depth: 0, persist-credentials: false}
      - uses: %(actions/setup-python)s
        with: {python-version: "3.12"}
      - run: %(install)s
      - run: mkdir -p review
      # Reviews the result of the merge with the current target: problems, ids, and what the change can break.
      - run: >-
          registry review%(folder)s --base "origin/$GITHUB_BASE_REF" --format github
          --also json=review/review.json --also markdown=review/review.md
      - if: always()
        run: if [ -f review/review.md ]; then cat review/review.md >> "$GITHUB_STEP_SUMMARY"; fi
      - if: always()
        uses: %(actions/upload-artifact)s
        with: {name: registry-review, path: review/review.json, if-no-files-found: ignore}
      # The catalog with the change, as a download.
      - run: registry build%(folder)s --out preview --preview "pull request $NUMBER" --base \
"origin/$GITHUB_BASE_REF"
        env: {NUMBER: "${{ github.event.pull_request.number }}"}
      - run: cp -rL preview preview-site
      - uses: %(actions/upload-artifact)s
        with: {name: registry-preview, path: preview-site}
  publish:
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      contents: write
      pages: read
    steps:
      - uses: %(actions/checkout)s
        # The whole history: revisions are read from the commits.
        with: {fetch-depth: 0}
      - uses: %(actions/setup-python)s
        with: {python-version: "3.12"}
      - id: pages
        uses: %(actions/configure-pages)s
      - run: %(install)s
      # Omit --published, here and below, if the pages require a login.
      - run: registry index%(folder)s --push --branch main --published "$ADDRESS"
        env: {ADDRESS: "${{ steps.pages.outputs.base_url }}"}
      # Exits with 3 if the published site has more ids: a main that was reset does not replace the site.
      - run: registry build%(folder)s --out site --published "$ADDRESS" --base-url "$ADDRESS"
        env: {ADDRESS: "${{ steps.pages.outputs.base_url }}"}
      # The branch has the last publications, for comparison and --rollback. A push with the token of a job
      # need not start a deployment, so the last job deploys what is on the branch.
      - run: registry publish%(folder)s git:gh-pages --remote origin --out site
      - run: |
          git fetch --quiet origin gh-pages
          mkdir pages
          git archive FETCH_HEAD | tar -x -C pages
      - uses: %(actions/upload-pages-artifact)s
        with: {path: pages}
  deploy:
    needs: publish
    runs-on: ubuntu-latest
    timeout-minutes: 15
    permissions:
      pages: write
      id-token: write
    environment: github-pages
    steps:
      - uses: %(actions/deploy-pages)s
"""
_GITHUB_COMMENT = """# Posts the review of a pull request as one comment, which the next run updates.
# GitHub runs the version of this file on the default branch, never that of the pull request. The artifact of
# the review is used as data only; the number of the pull request comes from the event.
name: registry comment
on:
  workflow_run:
    workflows: [registry]
    types: [completed]
permissions: {}
jobs:
  comment:
    if: github.event.workflow_run.event == 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      actions: read
      pull-requests: write
    steps:
      - uses: %(actions/setup-python)s
        with: {python-version: "3.12"}
      - run: %(install)s
      - uses: %(actions/download-artifact)s
        with:
          name: registry-review
          path: review
          run-id: ${{ github.event.workflow_run.id }}
          github-token: ${{ github.token }}
      - run: registry comment github --report review/review.json
        env: {GITHUB_TOKEN: "${{ github.token }}"}
"""
_GITLAB = """# Reviews every merge request. On the default branch, assigns ids and publishes the site to
# GitLab Pages. To assign ids, it needs a project access token with the scope write_repository in the masked
# variable REGISTRY_TOKEN. With the scope api as well, the review is posted as one note on the merge request.
default:
  image: python:3.12
  timeout: 30 minutes
  before_script:
    - %(install)s
variables:
  GIT_DEPTH: "0"   # the whole history: revisions are read from the commits
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
review:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"%(changes)s
  script:
    - git fetch origin "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
    - mkdir -p review
    # Reviews the result of the merge with the current target: problems, ids, and what the change can break.
    - registry review%(folder)s --base FETCH_HEAD --also gitlab=review/gl-code-quality.json --also \
json=review/review.json
    # The catalog with the change, to browse from the merge request.
    - registry build%(folder)s --out preview --preview "merge request $CI_MERGE_REQUEST_IID" --base FETCH_HEAD
    - cp -rL preview review/preview
  after_script:
    # Merge requests from forks have no token: they get only the code quality report.
    - if [ -z "$REGISTRY_TOKEN" ] || [ ! -f review/review.json ]; then exit 0; fi
    - %(install)s
    - registry comment gitlab --report review/review.json
  artifacts:
    when: always
    expose_as: registry review
    paths: [review/]
    reports: {codequality: review/gl-code-quality.json}
pages:
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH%(changes)s
  resource_group: registry-publish
  script:
    - git remote set-url origin "https://registry:$REGISTRY_TOKEN@$CI_SERVER_HOST/$CI_PROJECT_PATH.git"
    # Omit --published, here and below, if the pages require a login.
    - registry index%(folder)s --push --branch "$CI_DEFAULT_BRANCH" --published "$CI_PAGES_URL"
    # Exits with 3 if the published site has more ids: a branch that was reset does not replace the site.
    - registry build%(folder)s --out site --published "$CI_PAGES_URL" --base-url "$CI_PAGES_URL"
    # The branch has the last publications, for comparison and --rollback. Pages need a folder, not a link.
    - registry publish%(folder)s git:pages --remote origin --out site
    - git fetch --quiet origin pages
    - mkdir public
    - git archive FETCH_HEAD | tar -x -C public
  artifacts:
    paths: [public]
"""
_FORGEJO = """# Reviews every pull request. On main, assigns ids and publishes the site to the branch pages.
# For Gitea, remove the host from the action addresses. With a token that can write issues in the secret
# REGISTRY_TOKEN, the review is posted as one comment. Put the address of the site into the variable
# REGISTRY_URL: a site that has more ids is then never replaced.
name: registry
on:
  pull_request:%(paths)s
  push:
    branches: [main]%(paths)s
# A server that does not support this key uses the default rights of each job's token.
permissions: {}
jobs:
  review:
    if: github.event_name == 'pull_request'
    runs-on: docker
    container: {image: "python:3.12"}
    timeout-minutes: 30
    permissions:
      contents: read
    steps:
      - run: apt-get update && apt-get install --yes nodejs
      - uses: %(https://code.forgejo.org/actions/checkout)s
        with: {fetch-depth: 0, persist-credentials: false}
      - run: %(install)s
      - run: mkdir -p review
      # Reviews the result of the merge with the current target: problems, ids, and what the change can break.
      - run: registry review%(folder)s --base "origin/$GITHUB_BASE_REF" --also json=review/review.json
      # Pull requests from forks have no secrets: they get only the log of the previous step.
      - if: always()
        run: if [ -n "$REGISTRY_TOKEN" ] && [ -f review/review.json ]; then registry comment forgejo \
--report review/review.json; fi
        env: {REGISTRY_TOKEN: "${{ secrets.REGISTRY_TOKEN }}"}
  publish:
    if: github.event_name == 'push'
    runs-on: docker
    container: {image: "python:3.12"}
    timeout-minutes: 30
    permissions:
      contents: write
    concurrency: {group: registry-publish}
    env: {REGISTRY_URL: "${{ vars.REGISTRY_URL }}"}
    steps:
      - run: apt-get update && apt-get install --yes nodejs
      - uses: %(https://code.forgejo.org/actions/checkout)s
        with: {fetch-depth: 0}   # the whole history: revisions are read from the commits
      - run: %(install)s
      - run: registry index%(folder)s --push --branch main ${REGISTRY_URL:+--published "$REGISTRY_URL"}
      # Exits with 3 if the published site has more ids: a main that was reset does not replace the site.
      - run: registry build%(folder)s --out site ${REGISTRY_URL:+--published "$REGISTRY_URL" --base-url \
"$REGISTRY_URL"}
      # Codeberg Pages shows this branch. For another host, name its target, for example s3://bucket/prefix.
      - run: registry publish%(folder)s git:pages --remote origin --out site
"""
_TEMPLATES: dict[str, dict[str, str]] = {
    "github": {
        ".github/workflows/registry.yml": _GITHUB,
        ".github/workflows/registry-comment.yml": _GITHUB_COMMENT,
    },
    "gitlab": {".gitlab-ci.yml": _GITLAB},
    "forgejo": {".forgejo/workflows/registry.yml": _FORGEJO},
}
CI_FORGES = tuple(_TEMPLATES)
"""The forges that have CI files, in the order of the help."""


def install_command(install_from: str, extra: str = "") -> str:
    """Return the shell command that installs the program.

    `extra` is an optional dependency group. `install_from` has the form of the setting of that name; "" gives
    the placeholder.
    """
    address = f"git+{(install_from or PLACEHOLDER).removeprefix('git+')}"
    return f"pip install 'process-registry[{extra}] @ {address}'" if extra else f"pip install {address}"


def ci_files(forge: str, folder: str = "", install_from: str = "") -> dict[str, str]:
    """Return the CI files of a forge: text by path from the top of the repository.

    `folder` is the registry's folder in the repository, "" for its top. `install_from` is a valid setting of
    that name. Raises UsageError for a folder that requires quotes in shell, YAML or patterns.
    """
    if folder and not _FOLDER.fullmatch(folder):
        raise UsageError(
            f"the folder {folder!r} cannot be written into a CI file",
            "in its path use letters, digits and . _ - only",
        )
    paths = _TEMPLATES[forge]
    watched = [f"{folder}/**", *paths]
    values = {
        **{name: f"{name}@{commit}   # {version}" for name, (commit, version) in ACTIONS.items()},
        "install": install_command(install_from),
        "folder": f" -C {folder}" if folder else "",
        "paths": f"\n    paths: [{', '.join(watched)}]" if folder else "",
        "changes": f"\n      changes: [{folder}/**/*, {', '.join(paths)}]" if folder else "",
    }
    return {path: template % values for path, template in paths.items()}

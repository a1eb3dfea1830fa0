"""Ready-made CI files: every change is checked against the target, main gets ids and is published."""

_GITHUB = """# Checks every pull request; on main gives ids and publishes the site to GitHub Pages.
name: registry
on:
  pull_request:
  push:
    branches: [main]
permissions:
  contents: read
jobs:
  check:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: pip install process-registry
      # The result of the merge with the target as it is now, and what the change does to ids.
      - run: registry check --base "origin/$GITHUB_BASE_REF"
  publish:
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    concurrency: registry-publish
    permissions:
      contents: write
      pages: write
      id-token: write
    environment: github-pages
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}   # the whole history: revisions come from the commits
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - id: pages
        uses: actions/configure-pages@v5
      - run: pip install process-registry
      # Leave out --published where the pages cannot be read without a login.
      - run: registry index --push --branch main --published "${{ steps.pages.outputs.base_url }}"
      - run: registry build
      - uses: actions/upload-pages-artifact@v3
        with: {path: site}
      - uses: actions/deploy-pages@v4
"""
_GITLAB = """# Checks every merge request; on the default branch gives ids and publishes the site to GitLab Pages.
# Giving ids needs a project access token with the scope write_repository, as the masked variable REGISTRY_TOKEN.
default:
  image: python:3.12
  before_script:
    - pip install process-registry
variables:
  GIT_DEPTH: "0"   # the whole history: revisions come from the commits
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
check:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  script:
    - git fetch origin "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
    # The result of the merge with the target as it is now, and what the change does to ids.
    - registry check --base FETCH_HEAD
pages:
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  resource_group: registry-publish
  script:
    - git remote set-url origin "https://registry:$REGISTRY_TOKEN@$CI_SERVER_HOST/$CI_PROJECT_PATH.git"
    # Leave out --published where the pages cannot be read without a login.
    - registry index --push --branch "$CI_DEFAULT_BRANCH" --published "$CI_PAGES_URL"
    - registry build
    - cp -rL site public
  artifacts:
    paths: [public]
"""
_FORGEJO = """# Checks every pull request; on main gives ids and keeps the site as an artifact.
name: registry
on:
  pull_request:
  push:
    branches: [main]
jobs:
  check:
    if: github.event_name == 'pull_request'
    runs-on: docker
    container: {image: "python:3.12"}
    steps:
      - run: apt-get update && apt-get install --yes nodejs
      - uses: https://code.forgejo.org/actions/checkout@v4
        with: {fetch-depth: 0}
      - run: pip install process-registry
      # The result of the merge with the target as it is now, and what the change does to ids.
      - run: registry check --base "origin/$GITHUB_BASE_REF"
  publish:
    if: github.event_name == 'push'
    runs-on: docker
    container: {image: "python:3.12"}
    concurrency: {group: registry-publish}
    steps:
      - run: apt-get update && apt-get install --yes nodejs
      - uses: https://code.forgejo.org/actions/checkout@v4
        with: {fetch-depth: 0}   # the whole history: revisions come from the commits
      - run: pip install process-registry
      # Add --published and the site's address, once it has one.
      - run: registry index --push --branch main
      - run: registry build
      # Publish `site` here, as your host wants it.
      - uses: https://code.forgejo.org/forgejo/upload-artifact@v4
        with: {name: site, path: site/}
"""
# In the order that help shows them: path and text of each forge's file.
FORGES = {
    "github": (".github/workflows/registry.yml", _GITHUB),
    "gitlab": (".gitlab-ci.yml", _GITLAB),
    "forgejo": (".forgejo/workflows/registry.yml", _FORGEJO),
}

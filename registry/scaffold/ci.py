"""Ready-made CI files: every change is reviewed against its target, main gets ids and is published."""

_GITHUB = """# Reviews every pull request, with rights to read alone, so that forks are safe; on main gives ids and publishes the site to
# GitHub Pages. The comment on the pull request is posted by registry-comment.yml.
name: registry
on:
  pull_request:
  push:
    branches: [main]
permissions:
  contents: read
jobs:
  review:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: pip install process-registry
      - run: mkdir -p review
      # The result of the merge with the target as it is now: problems, what the change does to ids, and what it can break.
      - run: registry review --base "origin/$GITHUB_BASE_REF" --format github --also json=review/review.json --also markdown=review/review.md
      - if: always()
        run: if [ -f review/review.md ]; then cat review/review.md >> "$GITHUB_STEP_SUMMARY"; fi
      - if: always()
        uses: actions/upload-artifact@v4
        with: {name: registry-review, path: review/review.json, if-no-files-found: ignore}
      # The catalog as it would be, to download and look at.
      - run: registry build --out preview --preview "pull request ${{ github.event.pull_request.number }}" --base "origin/$GITHUB_BASE_REF"
      - run: cp -rL preview preview-site
      - uses: actions/upload-artifact@v4
        with: {name: registry-preview, path: preview-site}
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
      - run: registry build --base-url "${{ steps.pages.outputs.base_url }}"
      - uses: actions/upload-pages-artifact@v3
        with: {path: site}
      - uses: actions/deploy-pages@v4
"""
_GITHUB_COMMENT = """# Posts the review of a pull request as one comment, which the next run updates. It runs what is on the default branch, never
# what the pull request brought; the artifact of that run is only data to it, and the number comes from the event.
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
    permissions:
      actions: read
      pull-requests: write
    steps:
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: pip install process-registry
      - uses: actions/download-artifact@v4
        with:
          name: registry-review
          path: review
          run-id: ${{ github.event.workflow_run.id }}
          github-token: ${{ github.token }}
      - run: registry comment github --report review/review.json
        env: {GITHUB_TOKEN: "${{ github.token }}"}
"""
_GITLAB = """# Reviews every merge request; on the default branch gives ids and publishes the site to GitLab Pages.
# Giving ids needs a project access token with the scope write_repository, as the masked variable REGISTRY_TOKEN; with the
# scope api as well, the review is posted as one note on the merge request.
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
review:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  script:
    - git fetch origin "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
    - mkdir -p review
    # The result of the merge with the target as it is now: problems, what the change does to ids, and what it can break.
    - registry review --base FETCH_HEAD --also gitlab=review/gl-code-quality.json --also json=review/review.json
    # The catalog as it would be, to browse from the merge request.
    - registry build --out preview --preview "merge request $CI_MERGE_REQUEST_IID" --base FETCH_HEAD
    - cp -rL preview review/preview
  after_script:
    # Merge requests from forks have no token: they have the code quality report alone.
    - if [ -z "$REGISTRY_TOKEN" ] || [ ! -f review/review.json ]; then exit 0; fi
    - pip install process-registry
    - registry comment gitlab --report review/review.json
  artifacts:
    when: always
    expose_as: registry review
    paths: [review/]
    reports: {codequality: review/gl-code-quality.json}
pages:
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  resource_group: registry-publish
  script:
    - git remote set-url origin "https://registry:$REGISTRY_TOKEN@$CI_SERVER_HOST/$CI_PROJECT_PATH.git"
    # Leave out --published where the pages cannot be read without a login.
    - registry index --push --branch "$CI_DEFAULT_BRANCH" --published "$CI_PAGES_URL"
    - registry build --base-url "$CI_PAGES_URL"
    - cp -rL site public
  artifacts:
    paths: [public]
"""
_FORGEJO = """# Reviews every pull request; on main gives ids and keeps the site as an artifact. For Gitea, write the actions' addresses without
# their host. With a token that may write issues, as the secret REGISTRY_TOKEN, the review is posted as one comment.
name: registry
on:
  pull_request:
  push:
    branches: [main]
jobs:
  review:
    if: github.event_name == 'pull_request'
    runs-on: docker
    container: {image: "python:3.12"}
    steps:
      - run: apt-get update && apt-get install --yes nodejs
      - uses: https://code.forgejo.org/actions/checkout@v4
        with: {fetch-depth: 0}
      - run: pip install process-registry
      - run: mkdir -p review
      # The result of the merge with the target as it is now: problems, what the change does to ids, and what it can break.
      - run: registry review --base "origin/$GITHUB_BASE_REF" --also json=review/review.json
      # Pull requests from forks have no secrets: they have the log of the step before alone.
      - if: always()
        run: if [ -n "$REGISTRY_TOKEN" ] && [ -f review/review.json ]; then registry comment forgejo --report review/review.json; fi
        env: {REGISTRY_TOKEN: "${{ secrets.REGISTRY_TOKEN }}"}
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
      # Where the site is not at the top of its host, add --base-url and its address.
      - run: registry build
      # Publish `site` here, as your host wants it.
      - uses: https://code.forgejo.org/forgejo/upload-artifact@v4
        with: {name: site, path: site/}
"""
# In the order that help shows them: paths and texts of each forge's files.
CI_FILES: dict[str, dict[str, str]] = {
    "github": {
        ".github/workflows/registry.yml": _GITHUB,
        ".github/workflows/registry-comment.yml": _GITHUB_COMMENT,
    },
    "gitlab": {".gitlab-ci.yml": _GITLAB},
    "forgejo": {".forgejo/workflows/registry.yml": _FORGEJO},
}

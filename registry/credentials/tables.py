"""Patterns of names, values and tokens as data. Add new token formats here with a description."""

import re
from collections.abc import Callable, Iterator
from typing import Any


class Pattern:
    """A regular expression that is compiled on first use.

    A build after one edit needs few of them, and compiling all takes a twentieth of its time.
    """

    search: Callable[..., re.Match[str] | None]
    match: Callable[..., re.Match[str] | None]
    finditer: Callable[..., Iterator[re.Match[str]]]
    sub: Callable[..., str]

    def __init__(self, pattern: str, flags: int = 0) -> None:
        """Take the arguments of `re.compile`."""
        self.given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        """Return a method of the compiled expression and store it as an attribute."""
        found = getattr(re.compile(*self.given), name)
        setattr(self, name, found)
        return found


REFERENCE = Pattern(
    r"\$\{[A-Za-z_][A-Za-z0-9_]*\}|\$[A-Za-z_][A-Za-z0-9_]*|\{\{[^{}]*\}\}|\$\([^()]*\)|%\([^()]*\)s|%[A-Za-z_]+%"
)
ELSEWHERE = Pattern(
    r"(?:file:|vault:|secret:|aws-?sm:|gcp-?sm:|ssm:|arn:|op://|keyring:|env:|/run/secrets/|projects/)\S*\Z",
    re.IGNORECASE,
)
PLACEHOLDER_VALUE = Pattern(
    r"""(?: fix-?me | to-?do | tbd | changeme | change[-_ ]?(?:me|this|it) | replace[-_ ]?(?:me|this|with.*)? | set[-_ ]?me | x{3,} | \*{3,} | \.{3}
      | <[^<>]*> | \[[^\[\]]*\]? | (?:your|my|some)[-_ ].* | .*[-_ ]here | dummy.* | placeholder | redacted | hidden | insert.* | enter.* | none | null | n/?a | secret | password | token
      | example | test | sample | todo:.* | fixme:.* | unset | undefined | \?+ )\Z""",
    re.VERBOSE | re.IGNORECASE,
)
# The last word of a name decides: DB_PASSWORD is a secret, PASSWORD_FILE and TOKEN_URL are not.
NAME = Pattern(
    r"""(?:^|[^A-Za-z0-9]|(?-i:(?<=[a-z0-9])(?=[A-Z])))
    (?: pass(?:word|wd|phrase|code)? | pwd | pw | secret | token | credentials? | creds | bearer | authorization | jwt | pat | apikey | secretkey | accesskey | otp | totp
      | (?:api|access|secret|private|priv|signing|sign|encryption|encrypt|crypt|master|auth|account|service|storage|shared|license|hmac|cipher|jwt|cookie|session|app|client|webhook|deploy|ssh|aes|rsa|gpg|pgp)[^A-Za-z0-9]?(?:access[^A-Za-z0-9]?|secret[^A-Za-z0-9]?)?(?:key|secret)
      | (?:session|auth|csrf)[^A-Za-z0-9]?cookie | connection[^A-Za-z0-9]?string | conn[^A-Za-z0-9]?str | basic[^A-Za-z0-9]?auth )
    (?:[^A-Za-z0-9]?(?:[0-9]++|value|plain|base64|b64|hex|prod|production|staging|dev|test|live|old|new|current|previous|primary|secondary)){0,8}\Z""",
    re.VERBOSE | re.IGNORECASE,
)  # fmt: skip
# Every such name contains one of these; few other names do, and searching for them is faster.
STEMS_OF_NAMES = (
    "pass",
    "pw",
    "secret",
    "token",
    "cred",
    "bearer",
    "auth",
    "jwt",
    "pat",
    "key",
    "otp",
    "cookie",
    "conn",
)
JOINED_NAME = Pattern(r"(?:password|passwd|passphrase|secret|apikey|authtoken|accesstoken)\Z", re.IGNORECASE)
PUBLIC_NAME = Pattern(
    r"(?:^|[^A-Za-z])(?:public|pub|pass[^A-Za-z]?through|max|min|num|by|ask|no|prompt|without|export|delete|list)[^A-Za-z]",
    re.IGNORECASE,
)
# Values of such names that describe a method and are not secrets; also regular expressions (`password=.*`)
# and paths of jq (`{token: .auth.token}`).
HARMLESS = Pattern(
    r"""(?: | true | false | yes | no | on | off | enabled? | disabled? | required | optional | auto | default | prompt | ask | stdin | env | vault | file | keyring | kerberos
      | basic | bearer | digest | oauth2? | oidc | saml | ldap | jwt | mtls | hs(?:256|384|512) | rs(?:256|384|512) | [0-9]{1,3}
      | \.[*+].* | \.[a-z_]+(?:\.[a-z_]+)* | https?://[^\s@]*  | (?:~|\.{1,2})?/[\w./@+-]* | [\w.-]+\.(?:pem|key|crt|cer|json|ya?ml|txt|p12|pfx|jks|env|ini|conf) )\Z""",
    re.VERBOSE | re.IGNORECASE,
)
# Description, minimum length, markers of which every such token contains one (searching for these takes a
# tenth of the time), and the form, compiled when a marker was found.
TOKENS = (
    ("a private key", 20, ("-----BEGIN ", "AGE-SECRET-KEY-", "PuTTY-"), r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----|AGE-SECRET-KEY-1[0-9A-Z]{20,}|PuTTY-User-Key-File-"),
    ("an AWS access key", 20, ("AKIA", "ASIA", "AGPA", "AIDA", "AROA", "ABIA", "ACCA"), r"(?<![A-Za-z0-9])(?:AKIA|ASIA|AGPA|AIDA|AROA|ABIA|ACCA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
    ("a GitHub token", 34, ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
    ("a GitLab token", 25, ("glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glsoat-", "glft-", "glagent-", "gloas-", "glimt-"), r"(?<![A-Za-z0-9])gl(?:pat|ptt|dt|rt|cbt|soat|ft|agent|oas|imt)-[A-Za-z0-9_-]{20,}"),
    ("a token of a registry server", 73, ("registry_",), r"(?<![A-Za-z0-9])registry_[0-9a-f]{64}(?![A-Za-z0-9])"),
    ("a Slack token", 12, ("xox", "hooks.slack.com", "xapp-"), r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]+|(?<![A-Za-z0-9])xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]+"),
    ("a Google API key", 25, ("AIza", "ya29.", "GOCSPX-"), r"(?<![A-Za-z0-9])(?:AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,})"),
    ("a Stripe key", 22, ("_live_", "_test_", "whsec_"), r"(?<![A-Za-z0-9])(?:[sr]k_(?:live|test)_[0-9a-zA-Z]{16,}|whsec_[0-9a-zA-Z+/=]{16,})"),
    ("a package registry's token", 28, ("npm_", "pypi-", "dckr_", "rubygems_", "oy2"), r"(?<![A-Za-z0-9])(?:npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{20,}|dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}|rubygems_[0-9a-f]{40,}|oy2[a-z0-9]{43})"),
    ("a JSON Web Token", 25, ("eyJ",), r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
    ("an API key", 23, ("sk-", "hf_", "gsk_", "xai-", "r8_", "pplx-"), r"(?<![A-Za-z0-9])(?:sk-(?:proj-|ant-|or-|svcacct-)?[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}|xai-[A-Za-z0-9]{30,}|r8_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{30,})"),
    ("a service's token", 11, ("SG.", "_v1_", "hvs.", "hvb.", "hvr.", "shp", "dapi", "glsa_", "glc_", "lin_api_", "PMAK-", "sntr", "ATATT3", "NRAK-", "secret_", "ntn_", "EAAC", "sq0", "key-", "dp.", "figd_", "CFPAT-", "HRKU-", "fo1_", "FlyV1 ", "rnd_", "A3T"), r"(?<![A-Za-z0-9])(?:SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|do[opr]_v1_[0-9a-f]{40,}|hv[sbr]\.[A-Za-z0-9_-]{20,}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"
     r"|dapi[0-9a-f]{32}|glsa_[A-Za-z0-9]{20,}_[0-9a-f]{8}|glc_[A-Za-z0-9+/=]{20,}|lin_api_[A-Za-z0-9]{20,}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|sntr[yu]s_[A-Za-z0-9+/=_-]{20,}|ATATT3[A-Za-z0-9_=-]{20,}"
     r"|NRAK-[A-Z0-9]{27}|secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,}|EAAC[A-Za-z0-9]{20,}|sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,}|key-[0-9a-f]{32}|dp\.(?:pt|st|sa|ct)\.[A-Za-z0-9.]{30,}|figd_[A-Za-z0-9_-]{30,}"
     r"|CFPAT-[A-Za-z0-9_-]{40,}|HRKU-[A-Za-z0-9_-]{30,}|fo1_[A-Za-z0-9_-]{30,}|FlyV1 [A-Za-z0-9_,=-]{30,}|rnd_[A-Za-z0-9]{30,}|tskey-[a-z]+-[A-Za-z0-9]+-[A-Za-z0-9]+|A3T[A-Z0-9]{17})"),
    ("a chat bot's token", 44, (":AA", "."), r"(?<![A-Za-z0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9])|(?<![A-Za-z0-9])[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}(?![A-Za-z0-9])"),
    ("a storage key", 25, ("AccountKey=", "SharedAccess", "sig=", "Signature="), r"(?:AccountKey|SharedAccessKey|SharedAccessSignature)=[A-Za-z0-9+/%=&_.-]{16,}|[?&](?:sig|X-Amz-Signature|Signature)=[A-Za-z0-9%+/=]{20,}"),
    ("a password hash", 23, ("$",), r"\$(?:2[aby]|6|5|y|argon2(?:id|i|d))\$[A-Za-z0-9./$=,+]{20,}"),
)  # fmt: skip
# Formats that a text without capitals and underscores can have: most values are paths and names of this kind,
# and are checked in half of the time.
SMALL_TOKENS = tuple(
    (what, shortest, small, shape)
    for what, shortest, marks, shape in TOKENS
    if (small := tuple(mark for mark in marks if mark == mark.lower() and "_" not in mark))
)
# A password may contain `@`: the last one before the path ends it.
URL_PASSWORD = Pattern(r"""(?<=[A-Za-z0-9+.-])://[^\s/:@?#"']*:(?P<value>[^\s/@"']+(?:@[^\s/@"',;?#&]+)*)@""")
# A token in place of a user name; the code decides what counts as one.
URL_USER = Pattern(r"""(?<=[hH][tT][tT][pP])[sS]?://(?P<value>[^\s/:@?#"']{12,500})@""")
# A name and the sign before its value; in JSON within shell quotes both quotes have a backslash.
ASSIGNED = Pattern(
    r"""(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z0-9_.-]++)(?P<quote>\\?["'])?\s{0,8}(?:=>|:=|=|(?P<colon>:))\s{0,8}"""
)
ASSIGNED_VALUE = Pattern(
    r"""\\"(?P<escaped>[^"\\]+) | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)' | ["']?(?P<bare>(?:[^\s"',;&|{}\[\]\\$]|\$(?:\{[^{}\s"']*+\}|\([^()\n]*+\))?+)
                 (?:[^\s"',;&|}\]$]|\$(?:\{[^{}\s"']*+\}|\([^()\n]*+\))?+)*+)""",
    re.VERBOSE | re.DOTALL,
)
# An HTTP header with a scheme, and the lines of a netrc file.
AUTHORIZATION = Pattern(
    r"""authorization\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?(?P<scheme>bearer|basic|token|digest|negotiate|apikey|api-key|key)\s{1,4}(?P<value>[^\s"'\\,;]+)""",
    re.IGNORECASE,
)
SCHEME = Pattern(
    r"(?<![A-Za-z0-9_-])(?:(?i:bearer)\s{1,4}(?P<bearer>[A-Za-z0-9._~+/=-]{16,})|(?i:basic)\s{1,4}(?P<basic>[A-Za-z0-9+/=]{8,}))"
)
NETRC = Pattern(
    r"(?<!\S)(?:machine\s{1,8}\S{1,255}|default\s{1,8}login\s{1,8}\S{1,255}|(?P<login>login\s{1,8}\S{1,255}))\s{1,8}"
    r"(?:(?:login|account)\s{1,8}\S{1,255}\s{1,8}){0,2}password\s{1,8}(?P<value>\S+)"
)
# An option of a command in shell text with the next word: `--password VALUE`.
OPTION_IN_TEXT = Pattern(
    r"""(?<![A-Za-z0-9_.-])-{1,2}(?P<name>[A-Za-z][A-Za-z0-9_.-]*+)[ \t]{1,8}
        (?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|(?P<bare>[^\s"'`|;&<>(){}\[\],-][^\s"'`|;&<>()]*+))""",
    re.VERBOSE,
)
# Text after the name of an option in prose.
PROSE = Pattern(
    r"(?:and|are|argument|as|but|by|can|for|from|has|if|in|instead|is|may|must|not|of|on|option|or|parameter|should|so|takes?|that|the|to|when|which|will|with)\Z",
    re.IGNORECASE,
)
OPTION = Pattern(r"-{1,2}(?P<name>[A-Za-z][A-Za-z0-9_.-]*)(?:=(?P<value>.*))?\Z", re.DOTALL)
HASH_NAME = Pattern(
    r"(?:sha[0-9]*|sum|hash|digest|checksum|commit|rev|revision|etag|fingerprint|uuid|guid|id|version|tag|build|md5|crc|integrity|cert|certificate|thumbprint|public[^a-z]?key|pubkey|trace|span|seed|image|path|classpath|opts|args|flags|url|uri|host|endpoint)\Z",
    re.IGNORECASE,
)
RANDOM = Pattern(r"[A-Za-z0-9+/_=-]{20,}\Z")
HEX = Pattern(r"(?:[0-9a-f]{32,}|[0-9A-F]{32,})\Z")
UUID = Pattern(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
# Every token contains such a part, and few other values do.
LONG_WORD = Pattern(r"[A-Za-z0-9_+=-]{11,}")
# Options of a program that are followed by a secret (or have it attached), and the form of the value. The
# forms: `password`: all of it; `user:password` and `user%password`: the text after the sign; `pass:`: the
# text after this word; `user,password`: as in lftp.
_MYSQL = {"-p": "attached"}
_CURL = {"-u": "user:password", "--user": "user:password", "-U": "user:password", "--proxy-user": "user:password", "--oauth2-bearer": "password",
         "--pass": "password", "--proxy-pass": "password", "--tlspassword": "password"}  # fmt: skip
_MONGO = {"-p": "password"}
_LDAP = {"-w": "password"}
_OPENSSL = {"-passin": "pass:", "-passout": "pass:", "-pass": "pass:", "-k": "password"}
_KEYTOOL = {"-storepass": "password", "-keypass": "password", "-srcstorepass": "password", "-deststorepass": "password", "-srckeypass": "password",
            "-destkeypass": "password"}  # fmt: skip
_MQTT = {"-P": "password", "--pw": "password"}
SECRET_OPTIONS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlshow", "mysqlcheck", "mysqlbinlog", "mysqlslap", "mysqlpump", "mysqlsh",
                     "mariadb", "mariadb-dump", "mariadb-admin", "mariadb-import", "mariadb-backup", "xtrabackup", "mycli"), _MYSQL),
    "curl": _CURL,
    "wget": {"-u": "user:password"},
    "sshpass": {"-p": "password"},
    **dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"), _MONGO),
    **dict.fromkeys(("ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldapwhoami", "ldappasswd"), _LDAP),
    **{key: {"-a": "password", "--pass": "password"} for key in ("redis-cli", "valkey-cli", "keydb-cli")},
    **{key: {"-P": "password"} for key in ("sqlcmd", "bcp", "isql")},
    **dict.fromkeys(("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"), _MQTT),
    **{key: {"-U": "user%password", "--user": "user%password"} for key in ("smbclient", "smbget", "rpcclient", "winexe")},
    **{key: {"-a": "user:password", "--auth": "user:password", "-A": "user:password"} for key in ("http", "https", "xh", "ab")},
    **dict.fromkeys(("keytool", "jarsigner"), _KEYTOOL),
    **{key: {"-P": "password"} for key in ("zip", "unzip")},
    **{key: {"-p": "attached"} for key in ("7z", "7za", "7zz")},
    **{key: {"-p": "password"} for key in ("ncftpput", "ncftpget", "ncftpls", "twine", "cqlsh", "beeline")},
    **{key: {"-A": "password", "-X": "password"} for key in ("snmpget", "snmpwalk", "snmpset")},
    "openssl": _OPENSSL,
    "lftp": {"-u": "user,password", "--user": "user,password"},
    "ipmitool": {"-P": "password"},
    "rabbitmqadmin": {"-p": "password"},
    "rdesktop": {"-p": "password"},
    "swaks": {"-ap": "password", "-a": "password"},
}  # fmt: skip
# These take their option only after another word: `docker login -p x`, not `docker run -p 80:80`.
LOGIN_OPTIONS: dict[str, dict[str, str]] = {
    **{key: {"-p": "password"} for key in ("docker", "podman", "buildah", "skopeo", "nerdctl", "crane")},
    **{key: {"-p": "password"} for key in ("helm", "oc", "az")},
}
# Programs that are searched for in shell text; the others are common words.
_IN_SHELL = sorted({*SECRET_OPTIONS, *LOGIN_OPTIONS} - {"http", "https", "xh", "ab"}, key=len, reverse=True)
PROGRAM = Pattern(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, _IN_SHELL))})(?![\w.-])")
# curl takes `-fsSu joe:x`: options without a value may precede the letter of the one that has it.
CURL_FLAGS = Pattern(r"-[sSfLkvigGNIjJ0-6#]+(?P<last>[uU])")
COMMAND_END = Pattern(r"[|;&\n]")
WORD = Pattern(r"""(?:[^\s"'`]|"[^"\n]*"|'[^'\n]*')+""")
# Headers whose value is a secret even without a blank after the colon: `curl -H X-Api-Key:abc`.
HEADER_NAME = Pattern(
    r"(?:-H)?(?:x-[a-z0-9-]{0,40}(?:key|token|secret|password)|private-token|api-?key)\Z", re.IGNORECASE
)

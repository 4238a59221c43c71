#!/usr/bin/env python3
"""What `./build.sh check` refuses in C sources whatever the formatter says: more than one ?: in a statement, a return of
two things by comma, functions of more than 60 lines, files of more than 400. Prints each with its place; status 1 when
there are any."""
import re
import sys

FUNCTION_LINES = 60
FILE_LINES = 400


def blanked(text):
    """The source without the contents of comments, strings and directives, every character where it was."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    text = re.sub(r"\"(\\.|[^\"\\\n])*\"|'(\\.|[^'\\\n])+'", lambda match: "0" + " " * (len(match[0]) - 1), text)
    text = re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.S)
    return re.sub(r"^[ \t]*#([^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


def has_comma(expression):
    """Whether a comma stands outside all brackets."""
    depth = 0
    for c in expression:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            return True
    return False


def complaints(text):
    code = blanked(text)
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield 1, f"{lines} lines, at most {FILE_LINES}"
    at = 0
    for statement in re.split(r"(?<=[;{}])", code):
        number = code.count("\n", 0, at + len(statement) - len(statement.lstrip())) + 1
        at += len(statement)
        if statement.count("?") > 1:
            yield number, "more than one ?: in a statement"
    for match in re.finditer(r"\breturn\b([^;]*);", code):
        if has_comma(match[1]):
            yield code.count("\n", 0, match.start()) + 1, "a return of two things"
    for match in re.finditer(r"^\w[^;{}]*\([^;{}]*\)\s*\{\n(.*?)^\}", code, flags=re.M | re.S):
        inside = match[1].count("\n")
        if inside > FUNCTION_LINES:
            yield code.count("\n", 0, match.start()) + 1, f"a function of {inside} lines, at most {FUNCTION_LINES}"


def main():
    found = [f"{name}:{number}: {what}" for name in sys.argv[1:] for number, what in complaints(open(name).read())]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


sys.exit(main())

# Of a log of `go test -v`, prints what the tests that failed said, package by
# package, and then their names: a few dozen lines of each, since only the end of
# a long log is read.

# said prints the first or the last lines of what was said.
function said(lines, first, last, i) {
	for (i = first; i <= last; i++) print substr(line[lines, i], 1, 400)
}

function ending(lines, most) {
	said(lines, count[lines] > most ? count[lines] - most + 1 : 1, count[lines])
}

function keep(lines) { line[lines, ++count[lines]] = $0 }

function begin() {
	test = ""; panicking = 0; names = 0
	split("", failed); split("", count); split("", line)
}

function report(package, i) {
	for (i = 1; i <= names; i++) {
		printf "\n-- %s of %s\n", failed[i], package
		ending("test " failed[i], 60)
		summary = summary "  " package ": " failed[i] "\n"
	}
	if (count["panic"]) {
		printf "\n-- panic in %s\n", package
		said("panic", 1, count["panic"] < 60 ? count["panic"] : 60)
		summary = summary "  " package ": " line["panic", 1] "\n"
	} else if (!names) {
		printf "\n-- %s\n%s", package, built[package]
		ending("package", 40)
		summary = summary "  " package "\n"
	}
}

BEGIN { begin() }

/^=== (RUN|PAUSE|CONT|NAME) / { test = $3; panicking = 0; building = ""; next }
/^(ok  |FAIL|\?   )\t/ {
	if ($1 == "FAIL") report($2)
	begin()
	building = ""
	next
}
/^# / { building = $2 } # of any package: what does not build is told first
building != "" { built[building] = built[building] $0 "\n"; next }
/^(PASS|FAIL|exit status [0-9]+)$/ { next }
/^ *--- (PASS|SKIP|FAIL): / {
	test = $3
	if ($2 == "FAIL:") failed[++names] = test
}
/^(panic: |fatal error: |SIGQUIT: )/ { panicking = 1 }
{
	keep("package")
	keep("test " test)
	if (panicking) keep("panic")
}

END { if (summary != "") printf "\nfailed:\n%s", summary }

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// canary is in every wrong value: it must not come back, nor reach the log.
const canary = "canary"

// wrong is a request's body, and what is wrong with it.
type wrong struct {
	name, body string
	fields     []string // pointers and headers
}

func badBodies() []wrong {
	good := func(rest string) string {
		return `{"to": {"addresses": {"email": "ann@example.com"}}, "content": {"title": "Shipped"}` + rest + `}`
	}
	return []wrong{
		{"nothing", `{}`, []string{"#/to", "#/content"}},
		{"null", `null`, []string{"#/to", "#/content"}},
		{"a null", `{"to": null, "content": null}`, []string{"#/to", "#/content"}},
		{"no address", `{"to": {"id": "u_42"}, "content": {"title": "x"}}`, []string{"#/to/addresses"}},
		{"address", `{"to": {"addresses": {"email": "canary"}}, "content": {"title": "x"}}`, []string{"#/to/addresses/email"}},
		{"address with a line", `{"to": {"addresses": {"email": "canary@example.com\r\nBcc: x@example.com"}}, "content": {"title": "x"}}`, []string{"#/to/addresses/email"}},
		{"address of no channel", `{"to": {"addresses": {"Canary!": "x"}}, "content": {"title": "x"}}`, []string{"#/to/addresses"}},
		{"recipient's ID", `{"to": {"id": "canary\u0000", "addresses": {"email": "a@example.com"}}, "content": {"title": "x"}}`, []string{"#/to/id"}},
		{"recipient's name", `{"to": {"name": "canary\n", "addresses": {"email": "a@example.com"}}, "content": {"title": "x"}}`, []string{"#/to/name"}},
		{"recipient's locale", `{"to": {"locale": "canary\n", "addresses": {"email": "a@example.com"}}, "content": {"title": "x"}}`, []string{"#/to/locale"}},
		{"content", `{"to": {"addresses": {"email": "a@example.com"}}, "content": {"title": "canary\r\nBcc: x", "body": "canary\u0001", "html": "canary\u0001", "url": "canary", "reply_to": "canary", "unsubscribe_url": "http://canary", "data": {"": "canary"}, "attachments": [{"name": "canary\n"}]}}`, []string{
			"#/content/title", "#/content/body", "#/content/html", "#/content/url", "#/content/data", "#/content/reply_to",
			"#/content/unsubscribe_url", "#/content/attachments/0", "#/content/attachments/0/name",
		}},
		{"template", good(`, "template": "canary"`), []string{"#/template"}},
		{"data", good(`, "data": {"order": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`), []string{"#/data/order"}},
		{"route without a provider", good(`, "route": {"first": ["email", "canary"]}`), []string{"#/route/first/1"}},
		{"route", good(`, "route": {"canary": ["email"]}`), []string{"#/route"}},
		{"route with a field too many", good(`, "route": {"first": ["email", {"all": ["email"], "canary": 1}]}`), []string{"#/route"}},
		{"route of a number", good(`, "route": 7`), []string{"#/route"}},
		{"schedule", good(`, "not_before": "2026-13-01T00:00:00Zcanary", "expires_at": 5`), []string{"#/expires_at", "#/not_before"}},
		{"schedule too far ahead", good(`, "not_before": "9000-01-01T00:00:00Z"`), []string{"#/not_before"}},
		{"urgent", good(`, "urgent": "canary"`), []string{"#/urgent"}},
		{"labels", good(`, "tenant": "canary\n", "category": "canary\n", "labels": {"canary\n": "x"}`), []string{"#/tenant", "#/category", "#/labels"}},
		{"kinds", `{"to": "canary", "content": ["canary"], "template": 1, "data": "canary", "tenant": {}, "category": [], "labels": 7}`, []string{
			"#/category", "#/content", "#/data", "#/labels", "#/template", "#/tenant", "#/to",
		}},
		{"kind within", `{"to": {"name": 5}, "content": {"title": "x"}}`, []string{"#/to/name"}},
		{"attachment that is no base64", `{"to": {"addresses": {"email": "a@example.com"}}, "content": {"title": "x", "attachments": [{"name": "x", "data": "canary!"}]}}`, []string{"#/content"}},
		{"unknown", good(`, "colour": "canary"`), []string{"#/colour"}},
		{"unknown, with a name that may be an address", good(`, "canary@example.com": 1`), []string{"#"}},
		{"unknown within", `{"to": {"adresses": "canary"}, "content": {"title": "x"}}`, []string{"#/to/adresses"}},
		{"unknown within, with a name that may be an address", `{"to": {"canary@example.com": 1}, "content": {"title": "x"}}`, []string{"#/to"}},
		{"the key in the body", good(`, "key": "canary"`), []string{"#/key"}},
	}
}

func TestBadFields(t *testing.T) {
	t.Parallel()
	log := &lines{}
	s := openService(t, log, "-backend", "memory")
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
	for _, bad := range badBodies() {
		t.Run(bad.name, func(t *testing.T) {
			got := c.do(http.MethodPost, "/v1/send", bad.body, "Content-Type", "application/json; charset=utf-8")
			p := requireProblem(t, got, invalid)
			var fields []string
			for _, e := range p.Errors {
				fields = append(fields, e.Pointer+e.Header)
				require.NotEmpty(t, e.Detail)
			}
			require.ElementsMatch(t, bad.fields, fields, got.body)
		})
	}
	for _, key := range []string{`canary`, `"`, `""`, `"canary`, `canary"`, `"can"ary"`, `"canary\x"`, `"canary\`, `"canary";a=1`, "\"canary\xc3\xa4\"", `"` + strings.Repeat("canary", 43) + `"`} {
		got := c.do(http.MethodPost, "/v1/send", mailTo("ann@example.com"), "Content-Type", "application/json", "Idempotency-Key", key)
		p := requireProblem(t, got, invalid)
		require.Len(t, p.Errors, 1, key)
		require.Equal(t, "Idempotency-Key", p.Errors[0].Header)
	}
	twice := c.do(http.MethodPost, "/v1/send", mailTo("ann@example.com"), "Content-Type", "application/json", "Idempotency-Key", `"a"`, "Idempotency-Key", `"a"`)
	require.Equal(t, "Idempotency-Key", requireProblem(t, twice, invalid).Errors[0].Header)
	require.Contains(t, log.String(), "running")
	require.NotContains(t, log.String(), canary)
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := openService(t, io.Discard, "-backend", "memory")
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
	post := func(body string, header ...string) answer {
		return c.do(http.MethodPost, "/v1/send", body, append([]string{"Content-Type", "application/json"}, header...)...)
	}
	for name, body := range map[string]string{
		"empty": ``, "text": canary, "array": `["canary"]`, "string": `"canary"`, "cut off": `{"to": {"id": "canary"`,
		"more": mailTo("ann@example.com") + `{}`, "comment": `{"to": {} /* canary */}`, "byte order mark": "\ufeff{}",
		"no UTF-8": "{\"content\": {\"title\": \"canary\xff\"}}",
		"deep":     `{"data": ` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
		"deeper":   strings.Repeat(`{"data":`, 60_000),
	} {
		t.Run(name, func(t *testing.T) { requireProblem(t, post(body), notJSON) })
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", ";"} {
		got := c.do(http.MethodPost, "/v1/send", mailTo("ann@example.com"), "Content-Type", contentType)
		requireProblem(t, got, wrongType)
		require.Equal(t, "application/json", got.header.Get("Accept"))
	}

	id := post(mailTo("ann@example.com"), "Idempotency-Key", `"order \"17\" \\"`).id(t)
	require.Equal(t, id, post(mailTo("ann@example.com"), "Idempotency-Key", ` "order \"17\" \\" `).id(t))
	requireProblem(t, post(mailTo("bob@example.com"), "Idempotency-Key", `"order \"17\" \\"`), keyReused)
	require.NotEqual(t, id, post(mailTo("ann@example.com")).id(t), "without a key it is another notification")

	require.Equal(t, "sent", c.await(id))
	requireProblem(t, c.do(http.MethodDelete, "/v1/notifications/"+id, ""), tooLate)
	for _, unknown := range []string{"canary", "%00", "a%2Fb", strings.Repeat("x", 4000)} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			requireProblem(t, c.do(method, "/v1/notifications/"+unknown, ""), notFound)
		}
		require.Equal(t, http.StatusNotFound, c.do(http.MethodGet, "/v1/notifications/"+unknown+"/events", "").status)
	}
	later := `{"to": {"addresses": {"email": "ann@example.com"}}, "content": {"title": "x"}, "not_before": %q}`
	id = post(fmt.Sprintf(later, time.Now().Add(time.Hour).Format(time.RFC3339))).id(t)
	for range 2 {
		got := c.do(http.MethodDelete, "/v1/notifications/"+id, "")
		require.Equal(t, http.StatusOK, got.status)
		require.JSONEq(t, fmt.Sprintf(`{"id": %q, "answer": "canceled"}`, id), got.body)
	}
	require.Equal(t, "canceled", c.await(id))

	for path, allowed := range map[string]string{
		"/v1/send": "POST", "/v1/notifications": "GET, HEAD", "/v1/notifications/x": "DELETE, GET, HEAD",
		"/v1/notifications/x/events": "GET, HEAD", "/v1/topology": "GET, HEAD", "/healthz": "GET, HEAD", "/metrics": "GET, HEAD",
	} {
		got := c.do(http.MethodPatch, path, "{}")
		requireProblem(t, got, wrongMethod)
		require.Equal(t, allowed, got.header.Get("Allow"), path)
	}
	for _, path := range []string{"/", "/v1", "/v1/send/", "/v1/notifications/", "/v2/send", "/canary"} {
		requireProblem(t, c.do(http.MethodGet, path, ""), noSuchPath)
	}
}

// What is too large is refused before it is read.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := openService(t, io.Discard, "-backend", "memory")
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))

	connection, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	_, err = fmt.Fprintf(connection, "POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", maxBody+1)
	require.NoError(t, err)
	got, err := http.ReadResponse(bufio.NewReader(connection), nil) // of a body that never comes
	require.NoError(t, err)
	defer got.Body.Close()
	all, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	requireProblem(t, answer{got.StatusCode, got.Header, string(all)}, tooLarge)

	connection, err = net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	endless := make(chan struct{})
	go func() {
		defer close(endless)
		_, _ = io.WriteString(connection, "POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
		chunk := fmt.Sprintf("1000\r\n%s\r\n", bytes.Repeat([]byte(" "), 0x1000))
		for err := error(nil); err == nil; {
			_, err = io.WriteString(connection, chunk) // until the server has had enough
		}
	}()
	got, err = http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, got.StatusCode)
	<-endless

	// A body that may be read, of a notification that is too large.
	large := fmt.Sprintf(`{"to": {"addresses": {"email": "ann@example.com"}}, "content": {"title": "x", "body": %q}}`, strings.Repeat(canary, 50_000))
	p := requireProblem(t, c.do(http.MethodPost, "/v1/send", large, "Content-Type", "application/json"), tooLarge)
	require.Equal(t, "#", p.Errors[0].Pointer)
}

// Every problem has its text, at the place that its type names.
func TestProblemsAreExplained(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("problem.go")
	require.NoError(t, err)
	var used, explained []string
	for _, found := range regexp.MustCompile(`"/problems#([a-z-]+)"`).FindAllSubmatch(source, -1) {
		used = append(used, string(found[1]))
	}
	s := openService(t, io.Discard, "-backend", "memory")
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
	page := c.do(http.MethodGet, "/problems", "")
	require.Equal(t, http.StatusOK, page.status)
	for _, found := range regexp.MustCompile(`(?m)^## ([a-z-]+)$`).FindAllStringSubmatch(page.body, -1) {
		explained = append(explained, found[1])
	}
	require.ElementsMatch(t, used, explained)
}

func requireProblem(t *testing.T, got answer, want problem) problem {
	t.Helper()
	require.Equal(t, want.Status, got.status, got.body)
	require.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
	require.NotContains(t, got.body, canary)
	var p problem
	got.decode(t, &p)
	require.Equal(t, want.Type, p.Type, got.body)
	require.Equal(t, want.Title, p.Title)
	require.Equal(t, want.Status, p.Status)
	return p
}

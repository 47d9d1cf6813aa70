package smtp

import (
	"fmt"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"github.com/seed-6c01d079/notify"
)

var (
	// RFC 3463, section 2: class.subject.detail at the start of the text.
	enhancedCode = regexp.MustCompile(`^([245])\.\d{1,3}\.\d{1,3}\b`)
	// There is no code for too many mails alone; servers say it in words.
	tooMany = regexp.MustCompile(`(?i)\b(rate|too (many|much|fast)|throttl\w*)\b`)
)

// enhanced returns the enhanced status code of a reply, if it has one that
// agrees with the reply's own.
func enhanced(reply *textproto.Error) string {
	code := enhancedCode.FindString(reply.Msg)
	if code == "" || code[0] != strconv.Itoa(reply.Code)[0] {
		return ""
	}
	return code
}

// joinCode returns a reply's numbers, such as "550 5.1.1".
func joinCode(code int, text string) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, enhanced(&textproto.Error{Code: code, Msg: text})))
}

// judge says what a refusal means: code is RFC 5321's (section 4.2.3), status
// RFC 3463's.
func judge(at step, code int, status, text string) (notify.Verdict, notify.FailureClass) {
	if code >= 400 && code < 500 {
		return judgeTemporary(at, code, status, text)
	}
	return notify.VerdictPermanent, judgePermanent(at, code, status)
}

func judgeTemporary(at step, code int, status, text string) (notify.Verdict, notify.FailureClass) {
	switch {
	case at == stepAuth, at == stepTLS:
		return notify.VerdictTemporary, notify.ClassService
	case strings.HasPrefix(status, "4.7."), tooMany.MatchString(text):
		return notify.VerdictThrottled, notify.ClassThrottle
	case aboutSender(status):
		return notify.VerdictTemporary, notify.ClassConfig
	// A mailbox that is full or busy is no trouble of the service: others are
	// served.
	case at == stepRcpt && code == 450 && status == "", at.afterRcpt() && subject(status, "1", "2"):
		return notify.VerdictTemporary, notify.ClassAddress
	default:
		return notify.VerdictTemporary, notify.ClassService
	}
}

func judgePermanent(at step, code int, status string) notify.FailureClass {
	switch {
	case at == stepAuth, code == 530, code == 534, code == 535, code == 538, status == "5.7.8":
		return notify.ClassAuth
	case code == 552 && at != stepRcpt && !subject(status, "2", "7"), status == "5.3.4", status == "5.2.3":
		return notify.ClassContent
	// Before RCPT the server has seen only who is asking.
	case !at.afterRcpt(), aboutSender(status):
		return notify.ClassConfig
	case subject(status, "7"):
		return notify.ClassPolicy
	case subject(status, "1", "2", "4"):
		return notify.ClassAddress
	case subject(status, "6"):
		return notify.ClassContent
	case subject(status, "5"), code >= 500 && code <= 504, code == 555:
		return notify.ClassConfig
	case at == stepRcpt && (code >= 550 && code <= 553 || code == 521 || code == 556):
		return notify.ClassAddress
	case at == stepRcpt:
		return notify.ClassOther
	default:
		return notify.ClassContent
	}
}

// afterRcpt tells whether the server has seen the recipient.
func (s step) afterRcpt() bool {
	return s == stepRcpt || s == stepData || s == stepAnswer
}

// aboutSender tells whether the status is about the sender's address: many
// servers check that only at RCPT.
func aboutSender(status string) bool {
	return strings.HasSuffix(status, ".1.7") || strings.HasSuffix(status, ".1.8")
}

// subject tells whether the status is about one of the subjects, its second
// number.
func subject(status string, subjects ...string) bool {
	parts := strings.Split(status, ".")
	for _, s := range subjects {
		if len(parts) == 3 && parts[1] == s {
			return true
		}
	}
	return false
}

package sqlite_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// roleVariable makes the test's program something else, on the file that it
// names.
const roleVariable, fileVariable = "NOTIFY_SQLITE_ROLE", "NOTIFY_SQLITE_FILE"

func TestMain(m *testing.M) {
	roles := map[string]func(file string) error{"holds": holds, "killed": killed, "calls": calls, "claims": claims}
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		fmt.Fprintln(os.Stderr, role(os.Getenv(fileVariable)))
		os.Exit(1)
	}
	if os.Getenv("STRESS_TEST_COUNT") == "" {
		_ = os.Setenv("STRESS_TEST_COUNT", "2")
	}
	goleak.VerifyTestMain(m)
}

// process is a process of that role.
func process(role, file string) *exec.Cmd {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"="+role, fileVariable+"="+file)
	return child
}

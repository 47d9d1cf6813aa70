package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// ErrLocked: another Backend, of this process or another, has the file open.
// The error that wraps it names the holder.
var ErrLocked = errors.New("the file is in use")

// errHeld is what a try to lock a file returns when somebody else has it.
var errHeld = errors.New("held")

// fileLock is a lock that ends with the process, whatever ends it. It is on a
// file of its own: SQLite's locks on the database would be lost when any other
// descriptor of it is closed.
type fileLock struct{ file *os.File }

// lockFile takes the lock beside the database, and writes down who has it.
func lockFile(database string) (*fileLock, error) {
	path := database + ".lock"
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(file); err != nil {
		defer file.Close()
		if errors.Is(err, errHeld) {
			return nil, fmt.Errorf("%w by %s: only one process at a time can have it, so stop that one or take another file", ErrLocked, holder(file))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	host, _ := os.Hostname()
	who := fmt.Sprintf("process %d on host %s since %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if err := overwrite(file, who); err != nil {
		file.Close()
		return nil, fmt.Errorf("write to %s: %w", path, err)
	}
	return &fileLock{file}, nil
}

// holder reads who has the lock.
func holder(file *os.File) string {
	who, err := io.ReadAll(io.LimitReader(file, 512))
	if text := strings.TrimSpace(string(who)); err == nil && text != "" {
		return text
	}
	return "another process"
}

func overwrite(file *os.File, text string) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

// release lets go of the lock. The file stays, empty: removing it would let
// two processes lock two files of one name. To close it is not enough: a process
// that this one is just starting has the descriptor too until it runs.
func (l *fileLock) release() error {
	return errors.Join(l.file.Truncate(0), unlock(l.file), l.file.Close())
}

// Package postgrestest starts a temporary PostgreSQL server for tests, where
// its programs are installed. It is imported by tests only.
package postgrestest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// ErrMissing says that there is no server: its programs are not installed.
var ErrMissing = errors.New("postgrestest: initdb and postgres are not installed (Debian: apt-get install postgresql); or name a server by NOTIFY_TEST_POSTGRES")

// startTime is how long the server may take to start, on a busy machine too.
const startTime = 2 * time.Minute

// Config says how the server runs.
type Config struct {
	// Durable has it wait for the disk at every commit. Default: it does not,
	// since a temporary server has nothing to lose.
	Durable bool
	// Options are server settings, such as "max_connections=50".
	Options []string
}

// Server is a server of its own, with its data in a temporary directory. It
// listens on a socket in that directory only, and is started again when it
// ends by itself. All methods are safe for concurrent use.
type Server struct {
	dir  string
	cred *syscall.Credential
	args []string
	log  *os.File

	mu       sync.Mutex
	process  *os.Process
	stopping bool
	failed   error
	ended    chan struct{} // closed when nothing runs any more
}

// Start starts a server, or returns [ErrMissing]. As root it runs it as the
// user postgres or nobody, since PostgreSQL refuses root. Where the system can,
// the server ends with this process, however that ends.
func Start(opts ...func(*Config)) (*Server, error) {
	var c Config
	for _, opt := range opts {
		opt(&c)
	}
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := find("postgres")
	if err != nil {
		return nil, err
	}
	s := &Server{ended: make(chan struct{})}
	if s.cred, err = credential(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, fmt.Errorf("postgrestest: %w", err)
	}
	s.args = []string{postgres, "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=300"}
	if !c.Durable {
		s.args = append(s.args, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	for _, option := range c.Options {
		s.args = append(s.args, "-c", option)
	}
	if err = s.create(initdb); err == nil {
		err = s.begin()
	}
	if err != nil {
		_ = s.Stop()
		return nil, fmt.Errorf("postgrestest: %w", err)
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// DSN names the server's database postgres, of which the user is the owner.
func (s *Server) DSN() string { return "host=" + s.dir + " user=postgres dbname=postgres" }

// RestartCommand is a command that has the server end its connections and start
// again. It returns before that is done.
func (s *Server) RestartCommand() []string {
	return []string{"sh", "-c", "kill -INT $(head -n 1 " + filepath.Join(s.data(), "postmaster.pid") + ")"}
}

// Signal sends the server a signal: SIGINT ends it in order, SIGQUIT at once,
// after which it starts again; SIGSTOP and SIGCONT freeze and thaw the process
// that takes connections.
func (s *Server) Signal(sig os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return errors.New("postgrestest: the server does not run")
	}
	return s.process.Signal(sig)
}

// Stop ends the server and removes its data. It may be called again.
func (s *Server) Stop() error {
	s.mu.Lock()
	s.stopping = true
	if s.process != nil {
		_ = s.process.Signal(syscall.SIGQUIT)
	} else if s.log == nil {
		s.mu.Unlock()
		return os.RemoveAll(s.dir)
	}
	s.mu.Unlock()
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.log.Close()
	return os.RemoveAll(s.dir)
}

// create makes the data directory. Who connects by the socket is trusted, but
// for the role "locked", which needs a password.
func (s *Server) create(initdb string) error {
	if s.cred != nil {
		if err := os.Chown(s.dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return err
		}
	}
	cmd := exec.Command(initdb, "-D", s.data(), "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync")
	cmd.SysProcAttr = attributes(s.cred)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte("local all locked scram-sha-256\nlocal all all trust\n"), 0o600)
}

// begin starts the server and waits until it takes connections.
func (s *Server) begin() error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	s.log = log
	go s.supervise()
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		if s.ready() {
			return nil
		}
		select {
		case <-s.ended:
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("the server ended: %w: %s", s.failed, bytes.TrimSpace(text))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("the server took no connection for %s", startTime)
}

// ready tells whether the server says so in its lock file.
func (s *Server) ready() bool {
	lock, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	return err == nil && bytes.Contains(lock, []byte("ready"))
}

// supervise runs the server until it is stopped. Its thread is the server's
// parent, and with the thread the server would end.
func (s *Server) supervise() {
	runtime.LockOSThread()
	defer close(s.ended)
	for {
		cmd := exec.Command(s.args[0], s.args[1:]...)
		cmd.SysProcAttr = attributes(s.cred)
		cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.log, s.log
		s.mu.Lock()
		if s.stopping {
			s.mu.Unlock()
			return
		}
		err := cmd.Start()
		s.process = cmd.Process
		s.mu.Unlock()
		if err == nil {
			begun := time.Now()
			if err = cmd.Wait(); err == nil || time.Since(begun) > time.Second {
				continue
			}
		}
		s.mu.Lock()
		s.failed, s.process = err, nil
		s.mu.Unlock()
		return
	}
}

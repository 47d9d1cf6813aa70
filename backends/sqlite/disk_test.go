package sqlite_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// disk is between SQLite and a database's files. It writes down what reaches
// them, in order, and fails when it is told to.
type disk struct {
	mu   sync.Mutex
	log  []change
	fail func(kind, file string) (code int32)
}

// change is something that happened to a file, or was acknowledged to a caller.
type change struct {
	kind string // write, truncate, sync, delete, ack, or directory: deletes are on disk
	file string // the suffix of its name: empty is the database; or what was acknowledged
	at   int64
	data []byte
}

const diskName = "notifytest"

// disks are those in use, by the path of the database.
var disks struct {
	sync.Mutex
	once    sync.Once
	byPath  map[string]*disk
	files   map[uintptr]openFile // by SQLite's pointer
	methods map[uintptr]uintptr  // ours for SQLite's
	system  uintptr              // SQLite's own file system
}

type openFile struct {
	disk   *disk
	suffix string
	system uintptr // SQLite's own methods
}

// newDisk has the database at the path be on a disk that is watched.
func newDisk(t testing.TB, path string) *disk {
	t.Helper()
	disks.once.Do(registerDisk)
	d := &disk{}
	disks.Lock()
	defer disks.Unlock()
	disks.byPath[path] = d
	t.Cleanup(func() {
		disks.Lock()
		defer disks.Unlock()
		delete(disks.byPath, path)
		require.NotContains(t, slices.Collect(maps.Values(disks.files)), d, "a file is still open")
	})
	return d
}

func (d *disk) acknowledge(what string) { d.happens(change{kind: "ack", file: what}) }

func (d *disk) syncedDirectory() { d.happens(change{kind: "directory"}) }

// open opens the database at the path, of which the log is moved into the
// database every so many pages.
func (d *disk) open(path string, pages int, opts ...func(*sqlite.Config)) *sqlite.Backend {
	return sqlite.Open(path, append(opts, sqlite.On(diskName, pages, d.syncedDirectory))...)
}

// happens writes the change down, or says why it fails.
func (d *disk) happens(c change) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		if code := d.fail(c.kind, c.file); code != lib.SQLITE_OK {
			return code
		}
	}
	d.log = append(d.log, c)
	return lib.SQLITE_OK
}

// failing sets what fails from now on; nil is nothing.
func (d *disk) failing(f func(kind, file string) int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

func (d *disk) changes() []change {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.log)
}

// at is what is at an address that is none of Go's.
func at[T any](p uintptr) *T { return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&p))) }

// code is the address of a function for SQLite, which is never collected.
func code(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// call makes a function of SQLite's address of one.
func call[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{p})) }

// registerDisk adds a file system that is SQLite's own but for what it tells.
func registerDisk() {
	disks.byPath, disks.files, disks.methods = map[string]*disk{}, map[uintptr]openFile{}, map[uintptr]uintptr{}
	tls := libc.NewTLS()
	lib.Xsqlite3_initialize(tls)
	disks.system = lib.Xsqlite3_vfs_find(tls, 0)
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	*at[lib.Tsqlite3_vfs](ours) = *at[lib.Tsqlite3_vfs](disks.system)
	at[lib.Tsqlite3_vfs](ours).FzName, _ = libc.CString(diskName)
	at[lib.Tsqlite3_vfs](ours).FxOpen = code(diskOpen)
	at[lib.Tsqlite3_vfs](ours).FxDelete = code(diskDelete)
	lib.Xsqlite3_vfs_register(tls, ours, 0)
}

// diskOf finds the disk of a file; suffix is what its name has beyond the
// database's.
func diskOf(name string) (d *disk, suffix string) {
	disks.Lock()
	defer disks.Unlock()
	for path, d := range disks.byPath {
		if suffix, ok := strings.CutPrefix(name, path); ok {
			return d, suffix
		}
	}
	return nil, ""
}

func diskOpen(tls *libc.TLS, _, name, file uintptr, flags int32, out uintptr) int32 {
	open := call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](at[lib.Tsqlite3_vfs](disks.system).FxOpen)
	rc := open(tls, disks.system, name, file, flags, out)
	if rc != lib.SQLITE_OK || name == 0 {
		return rc
	}
	d, suffix := diskOf(libc.GoString(name))
	if d == nil {
		return rc
	}
	disks.Lock()
	defer disks.Unlock()
	system := at[lib.Tsqlite3_file](file).FpMethods
	ours := disks.methods[system]
	if ours == 0 {
		ours = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
		m := at[lib.Tsqlite3_io_methods](ours)
		*m = *at[lib.Tsqlite3_io_methods](system)
		m.FxClose, m.FxWrite, m.FxTruncate, m.FxSync = code(diskClose), code(diskWrite), code(diskTruncate), code(diskSync)
		disks.methods[system] = ours
	}
	disks.files[file] = openFile{d, suffix, system}
	at[lib.Tsqlite3_file](file).FpMethods = ours
	return rc
}

func diskFile(file uintptr) (openFile, *lib.Tsqlite3_io_methods) {
	disks.Lock()
	defer disks.Unlock()
	f := disks.files[file]
	return f, at[lib.Tsqlite3_io_methods](f.system)
}

func diskClose(tls *libc.TLS, file uintptr) int32 {
	_, system := diskFile(file)
	disks.Lock()
	delete(disks.files, file)
	disks.Unlock()
	return call[func(*libc.TLS, uintptr) int32](system.FxClose)(tls, file)
}

func diskWrite(tls *libc.TLS, file, buffer uintptr, n int32, offset int64) int32 {
	f, system := diskFile(file)
	data := slices.Clone(unsafe.Slice(at[byte](buffer), n))
	if rc := f.disk.happens(change{"write", f.suffix, offset, data}); rc != lib.SQLITE_OK {
		return rc
	}
	return call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](system.FxWrite)(tls, file, buffer, n, offset)
}

func diskTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f, system := diskFile(file)
	if rc := f.disk.happens(change{"truncate", f.suffix, size, nil}); rc != lib.SQLITE_OK {
		return rc
	}
	return call[func(*libc.TLS, uintptr, int64) int32](system.FxTruncate)(tls, file, size)
}

// diskSync says that it is done when it is.
func diskSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f, system := diskFile(file)
	rc := call[func(*libc.TLS, uintptr, int32) int32](system.FxSync)(tls, file, flags)
	if rc == lib.SQLITE_OK {
		rc = f.disk.happens(change{"sync", f.suffix, 0, nil})
	}
	return rc
}

func diskDelete(tls *libc.TLS, _, name uintptr, sync int32) int32 {
	if d, suffix := diskOf(libc.GoString(name)); d != nil {
		if rc := d.happens(change{"delete", suffix, 0, nil}); rc != lib.SQLITE_OK {
			return rc
		}
	}
	remove := call[func(*libc.TLS, uintptr, uintptr, int32) int32](at[lib.Tsqlite3_vfs](disks.system).FxDelete)
	return remove(tls, disks.system, name, sync)
}

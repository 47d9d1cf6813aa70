package notify

import (
	"reflect"
	"runtime"
	"strings"
)

// place is where a handler's function comes from.
type place struct {
	entry uintptr // of the function
	made  uintptr // the call of On or Handle, outside this package
}

// placeOf is the place of a function that Handle has been given.
func placeOf(entry uintptr) place {
	p := place{entry: entry}
	on := reflect.TypeFor[place]().PkgPath() + ".On["
	var callers [4]uintptr
	for _, pc := range callers[:runtime.Callers(3, callers[:])] { // of Handle
		if f := runtime.FuncForPC(pc - 1); f != nil && !strings.HasPrefix(f.Name(), on) {
			p.made = pc - 1
			break
		}
	}
	return p
}

// methodValue ends the names of the functions that the compiler makes for them.
const methodValue = "-fm"

func (p place) describe() (function, file string, line int) {
	f := runtime.FuncForPC(p.entry)
	if f == nil {
		return "", "", 0
	}
	function, bound := strings.CutSuffix(f.Name(), methodValue)
	if made := runtime.FuncForPC(p.made); bound && made != nil {
		file, line = made.FileLine(p.made)
		return function, file, line
	}
	file, line = f.FileLine(p.entry)
	return function, file, line
}

package runtime

import (
	"strconv"
	"strings"
)

// apiVersion is the version of the C API that the binding is compiled against: a library older than this is refused.
const apiVersion = 28

// Library is a library of ONNX Runtime that has been checked.
type Library struct {
	Path    string
	Version string // "1.28.2"; empty when this build cannot load it
	Source  string // how it was found: "--ort-lib", "GRAFT_ORT_LIB", "cache", ...
}

// apiOf is the newest version of the C API that a version of ONNX Runtime has: the second number.
func apiOf(version string) (int, bool) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return minor, err1 == nil && err2 == nil && major == 1
}

package runtime

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A provider's library talks to ONNX Runtime's through an interface that changes with every release and that neither checks:
// of two versions, the process crashes. ONNX Runtime's and CUDA's carry their version as text, TensorRT's does not.

// checkProviderVersion says whether a provider's library is of a version of ONNX Runtime, as far as it tells.
func checkProviderVersion(path, provider, version string) error {
	found, err := versionsIn(path, version)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, pathReason(err))
	}
	if slices.Contains(found, version) || len(found) == 0 && provider != CUDA {
		return nil
	}
	of := "another version"
	if len(found) > 0 {
		of = strings.Join(found, " or ")
	}
	return fmt.Errorf("%s is of %s, ONNX Runtime's own library of %s: both have to be of one version", filepath.Base(providerPath("", provider)), of, version)
}

// oldestProvider is the release before which no provider's library is looked for: texts with smaller numbers are the versions
// of something else.
const oldestProvider = 15

// versionsIn lists the texts in a file that may be a version of ONNX Runtime, up to the one that is wanted.
func versionsIn(path, wanted string) (versions []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const longest = 16 // of a version, with what stands before and behind
	buffer := make([]byte, 1<<20)
	kept := 0
	for {
		n, err := io.ReadFull(f, buffer[kept:])
		text := buffer[:kept+n]
		for at := 0; ; at++ {
			next := bytes.Index(text[at:], []byte("1."))
			if next < 0 {
				break
			}
			at += next
			if v := versionAt(text, at); v != "" && !slices.Contains(versions, v) && len(versions) < 8 {
				versions = append(versions, v)
				if v == wanted {
					return versions, nil
				}
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return versions, nil
		}
		if err != nil {
			return nil, err
		}
		kept = copy(buffer, text[len(text)-longest:])
	}
}

// versionAt is the version that stands at a place of a text and ends with a zero byte.
func versionAt(text []byte, at int) string {
	if at > 0 && (text[at-1] == '.' || text[at-1] >= '0' && text[at-1] <= '9') {
		return ""
	}
	end := bytes.IndexByte(text[at:min(at+12, len(text))], 0)
	if end < 0 {
		return ""
	}
	v := string(text[at : at+end])
	if api, ok := apiOf(v); !ok || api < oldestProvider || api > 999 || strings.Count(v, ".") != 2 || !versionName.MatchString(v) {
		return ""
	}
	return v
}

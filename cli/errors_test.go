package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		out  string // stderr
	}{
		{errors.New("shape is negative"), exitInput, "graft v: shape is negative\n"},
		{refused("a.onnx", errors.New("truncated at byte 9")), exitInput, "graft v: truncated at byte 9\n  in: a.onnx\n"},
		{refused("a.onnx", &fs.PathError{Op: "open", Path: "a.onnx", Err: syscall.ENOENT}), exitInput, "graft v: open a.onnx: no such file or directory\n"},
		{refused("a.onnx", &fs.PathError{Op: "open", Path: "a.onnx", Err: syscall.EACCES}), exitEnvironment, "graft v: open a.onnx: permission denied\n"},
		{fmt.Errorf("write mask: %w", &fs.PathError{Op: "write", Path: "m", Err: syscall.ENOSPC}), exitEnvironment, "graft v: write mask: write m: no space left on device\n"},
		{environment(errors.New("no library"), "graft runtime install"), exitEnvironment, "graft v: no library\n  graft runtime install\n"},
		{failed(errors.New("loss is NaN at step 3"), "lower --lr"), exitRuntime, "graft v: loss is NaN at step 3\n  lower --lr\n"},
		{misuse("--clean and --noise exclude each other"), exitUsage, "graft v: --clean and --noise exclude each other\n"},
		{fmt.Errorf("train: %w", context.Canceled), exitInterrupted, "graft v: interrupted; what was saved is valid\n"},
		{fmt.Errorf("open session: %w", runtimeFault{}), exitRuntime, "graft v: open session: kernel Conv failed\n  in: model.onnx\n  try --provider cpu\n"},
		{fmt.Errorf("denoise: %w", refused("x", errors.New("bad"))), exitInput, "graft v: denoise: x: bad\n"},
		{errors.Join(errors.New("one"), errors.New("two")), exitInput, "graft v: one; two\n"},
		{refused("a\x1b[2J.onnx", errors.New("b\rc\u202ed\xff")), exitInput, "graft v: b\\x0dc\\u202ed\\xff\n  in: a\\x1b[2J.onnx\n"},
	} {
		e := classify("v", c.err)
		var stderr, doc bytes.Buffer
		e.print(&stderr, &doc)
		if e.Code != c.code || stderr.String() != c.out {
			t.Errorf("%v: exit %d, want %d\n%s---\n%s", c.err, e.Code, c.code, stderr.String(), c.out)
		}
		var parsed struct {
			Error map[string]string `json:"error"`
		}
		if err := json.Unmarshal(doc.Bytes(), &parsed); err != nil || len(parsed.Error) != 4 || parsed.Error["reason"] == "" {
			t.Errorf("%v: json %s (%v)", c.err, doc.String(), err)
		}
	}
	if got := classify("v", &os.PathError{Op: "open", Path: "x", Err: os.ErrNotExist}).File; got != "x" {
		t.Errorf("file of a path error: %q", got)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"enc1/Conv": "enc1/Conv", "naïve 猫": "naïve 猫", "": "",
		"\x1b[2J": `\x1b[2J`, "a\nb\tc\r": `a\nb\tc\x0d`, "\x00\x7f": `\x00\x7f`, "\u009b31m": `\x9b31m`,
		"\u202eabc": `\u202eabc`, "\u2028": `\u2028`, "\xff\xfe": `\xff\xfe`, "\U000e0001": `\U000e0001`, "\ufeff": `\ufeff`,
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if q := quote(strings.Repeat("é", 1000)); len(q) > 300 {
		t.Errorf("quote keeps %d bytes", len(q))
	}
}

func TestNearest(t *testing.T) {
	verbs := []string{"denoise", "inspect", "check", "simplify", "prune", "train", "export", "convert", "run", "bench", "compare", "version"}
	for in, want := range map[string]string{"denosie": "denoise", "inpsect": "inspect", "chck": "check", "rn": "run", "versoin": "version",
		"zzz": "", "simp": "simplify", "exprot": "export", "": "", "x": ""} {
		if got := nearest(in, verbs); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

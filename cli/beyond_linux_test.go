package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// beyondProtobuf writes a model of two weights of 1.6 GB each, which are holes in their file: y = a[i] + b[i].
func beyondProtobuf(t *testing.T, folder string) string {
	t.Helper()
	const rows, size = 400_000_000, 1_600_000_000
	value := func(number protowire.Number, name string, element uint64) []byte {
		return field(nil, number, field(field(nil, 1, []byte(name)), 2, field(nil, 1, field(varint(nil, 1, element), 2, field(nil, 1, varint(nil, 1, 4))))))
	}
	graph := field(nil, 2, []byte("beyond"))
	for k, name := range []string{"a", "b"} {
		w := field(varint(varint(nil, 1, rows), 2, 1), 8, []byte(name))
		for _, e := range [][2]string{{"location", "holes"}, {"offset", strconv.Itoa(k * size)}, {"length", strconv.Itoa(size)}} {
			w = field(w, 13, field(field(nil, 1, []byte(e[0])), 2, []byte(e[1])))
		}
		graph = field(graph, 5, varint(w, 14, 1))
		graph = append(graph, rawNode("Gather", "", name, name+"_i", "i")...)
	}
	graph = append(graph, rawNode("Add", "", "a_i", "y", "b_i")...)
	graph = append(graph, value(11, "i", 7)...)
	graph = append(graph, value(12, "y", 1)...)
	path := filepath.Join(folder, "big.onnx")
	if err := os.WriteFile(path, field(field(varint(nil, 1, 8), 7, graph), 8, varint(nil, 2, 17)), 0o600); err != nil {
		t.Fatal(err)
	}
	holes, err := os.Create(filepath.Join(folder, "holes"))
	if err != nil {
		t.Fatal(err)
	}
	defer holes.Close()
	if err := holes.Truncate(2 * size); err != nil {
		t.Skipf("no file of 3.2 GB: %v", err)
	}
	return path
}

// What protobuf cannot hold goes through every verb with its weights beside it, and costs what is read of them.
func TestBeyondProtobuf(t *testing.T) {
	folder := t.TempDir()
	path := beyondProtobuf(t, folder)
	for _, c := range []struct {
		line string
		code int
		says string // "": nothing in particular
		run  bool
	}{
		{"check IN", exitDone, "", false},
		{"convert IN --rename-input i=index --out OUT1.onnx", exitDone, "stay in holes", false},
		{"convert IN --opset 13 --out OUT2.onnx", exitDone, "stay in holes", false},
		{"convert IN --rename-input i=index --out OUT3.onnx --external-data inline", exitInput, "more than 2 GiB do not go into one file", false},
		{"convert IN --out IN --force", exitDone, "stay in holes", false},
		{"check IN --against-runtime", exitDone, "", true},
		{"run IN", exitDone, "", true},
		{"bench IN --rounds 2 --warmup 0", exitDone, "", true},
		{"compare IN OUT1.onnx", exitDone, "equal", true},
		{"simplify IN --verify --out OUT4.onnx", exitDone, "equal", true},
	} {
		if c.run && (!*large || runtimeLibrary() == "") { // ONNX Runtime reads all of it
			continue
		}
		words := strings.Fields(strings.NewReplacer("IN", path, "OUT", filepath.Join(folder, "out.onnx")+"_").Replace("graft " + c.line + " --seed 1"))
		var stdout, stderr bytes.Buffer
		start := time.Now()
		if code := NewApp(strings.NewReader(""), &stdout, &stderr).Run(t.Context(), words); code != c.code {
			t.Errorf("%s: exit code %d\n%s%s", c.line, code, stdout.String(), stderr.String())
		} else if !strings.Contains(stdout.String()+stderr.String(), c.says) {
			t.Errorf("%s: does not say %q\n%s%s", c.line, c.says, stdout.String(), stderr.String())
		}
		t.Logf("%.1f s: %s", time.Since(start).Seconds(), c.line)
	}
}

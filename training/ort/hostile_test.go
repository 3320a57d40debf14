package ort_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/limits"
	"graft/training/ort"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestReadCheckpoint(t *testing.T) {
	c, err := ort.ReadCheckpoint(filepath.Join("testdata", "mlp", "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Trained) != 3 || len(c.Frozen) != 1 || len(c.Groups) != 1 {
		t.Fatalf("%d trained, %d frozen, %d groups", len(c.Trained), len(c.Frozen), len(c.Groups))
	}
	g := c.Groups[0]
	if g.Step != 10 || g.LearningRate != 0.02 && g.LearningRate != 0.001 || len(g.Slots) != 6 {
		t.Errorf("step %d, rate %g, %d slots", g.Step, g.LearningRate, len(g.Slots))
	}
	if w, m := c.Tensor("fc2.weight"), g.Slots["fc2.weight.momentum1"]; w == nil || m == nil || w.Type().String() != "float [8 3]" || m.Type().String() != "float [8 3]" || m.Float32s()[0] <= 0 {
		t.Errorf("weight %v, momentum %v", w, m)
	}
	if b := c.Tensor("fc1.bias"); b == nil || b.Float32s()[7] != 0 || c.Tensor("fc3.bias") != nil {
		t.Errorf("bias %v", b)
	}
}

// refusal wants an error that says "input refused", on one printable line.
func refusal(t testing.TB, data []byte) {
	t.Helper()
	_, err := ort.Decode(data)
	if err == nil {
		return
	}
	var in *limits.InputError
	if !errors.As(err, &in) || in.ExitCode() != 3 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }) || len(err.Error()) > 1000 {
		t.Fatalf("%q: no clean refusal", err)
	}
}

// Every prefix of a checkpoint is refused, and every change of one of its numbers is taken or refused, without more ado.
func TestHostileCheckpoint(t *testing.T) {
	for _, name := range []string{"mlp", "mse"} {
		data := read(t, name)
		for n := range data {
			if _, err := ort.Decode(data[:n:n]); err == nil && n < len(data)-4 { // the end is padding
				t.Fatalf("%s: %d of %d bytes were taken", name, n, len(data))
			}
			refusal(t, data[:n:n])
		}
		for at := 0; at+4 <= len(data); at += 2 {
			for _, v := range []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, uint32(len(data)), 4} {
				changed := bytes.Clone(data)
				binary.LittleEndian.PutUint32(changed[at:], v)
				refusal(t, changed)
			}
		}
	}
	for want, data := range map[string][]byte{
		"is not ODTC": []byte("\x08\x00\x00\x00ORTM\x00\x00\x00\x00"), "lies": []byte("\xff\xff\xff\x7fODTC"),
	} {
		if _, err := ort.Decode(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A vector of very many references to one table costs no more than its bytes allow.
func TestHostileSharedTables(t *testing.T) {
	const n = 1 << 20
	le := binary.LittleEndian
	// root at 8: vtable at 20, table at 32: field 1 -> module.
	b := make([]byte, 64, 64+4*n)
	copy(b[4:], "ODTC")
	le.PutUint32(b, 20)
	le.PutUint16(b[8:], 8)   // layout of root
	le.PutUint16(b[10:], 12) // table of 12 bytes
	le.PutUint16(b[14:], 4)  // field 1 at byte 4
	le.PutUint32(b[20:], 12) // root: its layout is 12 bytes before
	le.PutUint32(b[24:], 12) // module state at 36
	le.PutUint16(b[28:], 6)  // layout of the module state
	le.PutUint16(b[30:], 8)
	le.PutUint16(b[32:], 4) // field 0 at byte 4
	le.PutUint32(b[36:], 8) // module state: its layout is 8 bytes before
	le.PutUint32(b[40:], 20)
	b = b[:60]
	b = le.AppendUint32(b, n)
	for i := range n { // every entry is the module state itself
		b = le.AppendUint32(b, uint32(int64(36)-int64(64+4*i)))
	}
	if _, err := ort.Decode(b); err == nil || !strings.Contains(err.Error(), "more than 250000 tables") {
		t.Errorf("%v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"mlp", "mse"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) { refusal(t, data) })
}

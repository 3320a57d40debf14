package strictzip

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"graft/onnx/limits"
	"graft/onnx/limits/limitstest"
	"graft/onnx/strictzip/ziptest"
)

var files = []ziptest.File{{Name: "dir/first", Data: []byte(strings.Repeat("abc", 100))}, {Name: "second", Data: []byte("x")}, {Name: "empty"}}

// readAll reads every entry.
func readAll(b []byte) (map[string]string, error) {
	a, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	m := make(map[string]string)
	for _, e := range a.Entries() {
		content, err := a.Bytes(e.Name)
		if err != nil {
			return nil, err
		}
		m[e.Name] = string(content)
	}
	return m, nil
}

func TestGoodArchives(t *testing.T) {
	archives := map[string][]byte{"plain": ziptest.Build(files)}
	for name, entry := range map[string]func(ziptest.File) ziptest.Entry{"deflated": ziptest.Deflated, "streamed": ziptest.Streamed} {
		a := ziptest.Archive{}
		for _, f := range files {
			a.Entries = append(a.Entries, entry(f))
		}
		archives[name] = a.Bytes()
		a.Zip64 = true
		archives[name+", zip64 end"] = a.Bytes()
	}
	var b bytes.Buffer // as Go writes it
	w := zip.NewWriter(&b)
	for i, f := range files {
		part, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: uint16(i%2) * zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		part.Write(f.Data)
	}
	w.Close()
	archives["archive/zip"] = b.Bytes()
	// NumPy has zip64 sizes in the local header only; PyTorch pads there.
	a := ziptest.Archive{}
	for _, f := range files {
		e := ziptest.Plain(f)
		n := uint64(len(f.Data))
		e.LocalSize, e.LocalPacked = 1<<32-1, 1<<32-1
		e.LocalExtra = le.AppendUint64(le.AppendUint64([]byte("\x01\x00\x10\x00"), n), n)
		e.LocalExtra = append(e.LocalExtra, "FB\x03\x00ZZZ"...)
		a.Entries = append(a.Entries, e)
	}
	archives["numpy"] = a.Bytes()
	for name, b := range archives {
		got, err := readAll(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, f := range files {
			if got[f.Name] != string(f.Data) || len(got) != len(files) {
				t.Errorf("%s: %s differs", name, f.Name)
			}
		}
		for n := range b {
			if _, err := readAll(b[:n]); err == nil {
				t.Errorf("%s: prefix of %d bytes accepted", name, n)
			}
		}
	}
	if m, err := readAll(ziptest.Build(nil)); err != nil || len(m) != 0 {
		t.Error(err)
	}
}

func TestHostileArchives(t *testing.T) {
	for _, c := range ziptest.Hostile(files) {
		t.Run(c.Name(), func(t *testing.T) {
			_, err := readAll(c.Bytes)
			limitstest.Refused(t, limits.InFile("x.zip", err), "x.zip", c.Want)
		})
	}
}

func FuzzOpen(f *testing.F) {
	for _, c := range ziptest.Hostile(files) {
		if len(c.Bytes) < 1<<12 {
			f.Add(c.Bytes)
		}
	}
	f.Add(ziptest.Build(files))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readAll(b)
		if err != nil {
			return
		}
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("accepted, but archive/zip says %v", err)
		}
		for _, file := range z.File {
			r, err := file.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil || string(content) != got[file.Name] || len(z.File) != len(got) {
				t.Fatalf("archive/zip reads %s otherwise: %v", file.Name, err)
			}
		}
	})
}

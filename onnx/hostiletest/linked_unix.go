//go:build unix

package hostiletest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// linked are attacks by what lies at a location.
func linked() []Model {
	at := func(id, name, says, location string, make func(folder string) error) Model {
		m := located(id, name, says, location)
		m.beside = func(t testing.TB, folder string) {
			t.Helper()
			if err := make(folder); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	link := func(target, name string) func(string) error {
		return func(folder string) error { return os.Symlink(target, filepath.Join(folder, name)) }
	}
	return []Model{
		at("E05", "link out", "outside", "l.bin", link("../secret", "l.bin")),
		at("E06", "link out above the file", "outside", "link_dir/real.bin", link("../outside", "link_dir")),
		at("E07", "hard link", "hard links", "h.bin", func(folder string) error {
			return os.Link(filepath.Join(filepath.Dir(folder), "secret"), filepath.Join(folder, "h.bin"))
		}),
		at("E08", "link to a device", "outside", "z.bin", link("/dev/zero", "z.bin")),
		at("E09", "pipe", "regular", "p.bin", func(folder string) error {
			return syscall.Mkfifo(filepath.Join(folder, "p.bin"), 0o644)
		}),
	}
}

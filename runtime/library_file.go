package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	goruntime "runtime"
)

// maxLibraryBytes bounds a library file.
const maxLibraryBytes = 4 << 30

// probeFile checks the library at path: that it is a regular file of this machine's format, then, where this build can, by
// loading it. version is empty where it cannot.
func probeFile(path string) (version string, err error) {
	if err := checkFormat(path); err != nil {
		return "", err
	}
	return probe(path)
}

// pathReason is err without the path that the caller names anyway.
func pathReason(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// elfMachines are e_machine in ELF headers.
var elfMachines = map[string]uint16{
	"386": 3, "arm": 40, "amd64": 62, "arm64": 183, "riscv64": 243, "ppc64le": 21, "s390x": 22, "loong64": 258,
}

// peMachines are Machine in PE headers.
var peMachines = map[string]uint16{"386": 0x14c, "amd64": 0x8664, "arm64": 0xaa64}

// machoCPUs are cputype in Mach-O headers.
var machoCPUs = map[string]uint32{"amd64": 0x01000007, "arm64": 0x0100000c}

// checkFormat says whether path is a shared library for this machine, from its header alone.
func checkFormat(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return pathReason(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if info.Size() > maxLibraryBytes {
		return fmt.Errorf("%d bytes are too many for a library", info.Size())
	}
	f, err := os.Open(path)
	if err != nil {
		return pathReason(err)
	}
	defer f.Close()
	head := make([]byte, 1024)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return pathReason(err)
	}
	return checkHeader(head[:n], goruntime.GOOS, goruntime.GOARCH)
}

// checkHeader says whether a file that starts with head is a shared library for a system and architecture.
func checkHeader(head []byte, system, arch string) error {
	if len(head) < 64 {
		return errors.New("too short for a shared library")
	}
	wrongMachine := fmt.Errorf("built for another architecture than %s", arch)
	switch system {
	case "windows":
		if head[0] != 'M' || head[1] != 'Z' {
			return errors.New("not a DLL")
		}
		at := binary.LittleEndian.Uint32(head[60:])
		if at > uint32(len(head)-6) || !bytes.Equal(head[at:at+4], []byte("PE\x00\x00")) {
			return errors.New("not a DLL")
		}
		if want, ok := peMachines[arch]; ok && binary.LittleEndian.Uint16(head[at+4:]) != want {
			return wrongMachine
		}
	case "darwin":
		switch binary.BigEndian.Uint32(head) {
		case 0xcafebabe, 0xcafebabf: // several architectures: the loader picks one
		case 0xcffaedfe:
			if want, ok := machoCPUs[arch]; ok && binary.LittleEndian.Uint32(head[4:]) != want {
				return wrongMachine
			}
		default:
			return errors.New("not a Mach-O library")
		}
	default:
		if !bytes.HasPrefix(head, []byte("\x7fELF")) {
			return errors.New("not an ELF library")
		}
		machine := binary.LittleEndian.Uint16(head[18:])
		if head[5] == 2 {
			machine = binary.BigEndian.Uint16(head[18:])
		}
		if want, ok := elfMachines[arch]; ok && machine != want {
			return wrongMachine
		}
	}
	return nil
}

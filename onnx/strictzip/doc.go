// Package strictzip reads ZIP archives that have one meaning: every byte belongs to exactly one entry or to the directory,
// the local headers say what the directory says, names are plain, and nothing is encrypted, duplicated or overlapping. It
// never writes to disk; names of entries are only names.
//
//	a, err := strictzip.Open(file, size) // checks the whole structure, reads no content
//	if err != nil {
//		return limits.InFile(path, err)
//	}
//	for _, e := range a.Entries() {
//		b, err := a.Bytes(e.Name) // inflates and checks size and CRC
//		...
//	}
//
// Archives written by Python's zipfile, NumPy, PyTorch and Go's archive/zip pass.
package strictzip

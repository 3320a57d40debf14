package safetensors

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	maxIndex  = 100_000_000
	maxShards = 1024 // files that are open at once
)

// Shards says which file beside an index each tensor is in.
type Shards struct {
	Files []string       // in the order in which they are met
	Of    map[string]int // tensor to place in Files
	Total int64          // bytes of all tensors; -1 where it is not said
}

// Index is a model in several files, as model.safetensors.index.json lists them. It is safe for concurrent use.
type Index struct {
	name    string
	shards  *Shards
	files   []*File
	entries []Entry // Begin and End count from the data of their own shard
}

// OpenIndex reads the index at path and the headers of the files beside it that it names. They must hold the tensors that
// it says, each in one file and none besides.
func OpenIndex(path string) (*Index, error) {
	x := &Index{name: path}
	if err := x.open(path); err != nil {
		_ = x.Close()
		return nil, limits.InFile(path, err)
	}
	return x, nil
}

// ReadShards reads the index at path: {"metadata": {"total_size": N, ...}, "weight_map": {"tensor": "file", ...}}. Files are named
// alone, without a folder, and end in one of the extensions.
func ReadShards(path string, extensions ...string) (*Shards, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxIndex {
		return nil, limits.InFile(path, limits.Refuse("index", "%d bytes, at most %d", size, maxIndex))
	}
	b := make([]byte, size)
	if err := limits.ReadAt(f, b, 0, "index"); err != nil {
		return nil, limits.InFile(path, err)
	}
	s, err := parseShards(b, extensions)
	return s, limits.InFile(path, err)
}

func (x *Index) open(path string) (err error) {
	if x.shards, err = ReadShards(path, ".safetensors"); err != nil {
		return err
	}
	var sum int64
	for i, shard := range x.shards.Files {
		file, err := Open(filepath.Join(filepath.Dir(path), shard))
		if err != nil {
			return err
		}
		x.files = append(x.files, file)
		for _, e := range file.Entries() {
			at, ok := x.shards.Of[e.Name]
			if !ok || at != i {
				return limits.Refuse("file "+limits.Name(shard), "holds tensor %s, which the index puts elsewhere or does not have", limits.Name(e.Name))
			}
			x.entries = append(x.entries, e)
			sum += e.End - e.Begin
		}
	}
	for name, i := range x.shards.Of {
		if _, ok := x.files[i].Entry(name); !ok {
			return limits.Refuse("file "+limits.Name(x.shards.Files[i]), "does not hold tensor %s, which the index puts there", limits.Name(name))
		}
	}
	if total := x.shards.Total; total >= 0 && total != sum {
		return limits.Refuse("index", "total_size is %d, the tensors have %d bytes", total, sum)
	}
	return nil
}

func parseShards(b []byte, extensions []string) (*Shards, error) {
	x := &Shards{Of: map[string]int{}, Total: -1}
	j := &jsonReader{b: b, field: "index"}
	seen := map[string]bool{}
	shardAt := map[string]int{}
	err := j.object(func(key string) error {
		if seen[key] {
			return j.fail("key %s twice", limits.Name(key))
		}
		seen[key] = true
		switch key {
		case "metadata":
			known := map[string]bool{}
			return j.object(func(key string) (err error) {
				if known[key] || len(known) == maxCount {
					return j.fail("key %s twice, or too many keys", limits.Name(key))
				}
				known[key] = true
				if j.next() == '"' {
					_, err = j.str()
					return err
				}
				n, err := j.whole()
				if key == "total_size" {
					x.Total = n
				}
				return err
			})
		case "weight_map":
			return j.object(func(name string) error { return x.place(j, name, shardAt, extensions) })
		}
		return j.fail("unknown key %s", limits.Name(key))
	})
	switch {
	case err != nil:
		return nil, err
	case !seen["weight_map"] || len(x.Of) == 0:
		return nil, limits.Refuse("index", "no weight_map, or an empty one")
	}
	if j.space(); j.pos != len(b) {
		return nil, j.fail("%d bytes after the JSON", len(b)-j.pos)
	}
	return x, nil
}

// place reads the file that a tensor is in.
func (x *Shards) place(j *jsonReader, name string, shardAt map[string]int, extensions []string) error {
	shard, err := j.str()
	if err != nil {
		return err
	}
	if _, twice := x.Of[name]; twice {
		return j.fail("tensor %s twice", limits.Name(name))
	}
	if len(x.Of) == maxCount {
		return j.fail("more than %d tensors", maxCount)
	}
	known := slices.ContainsFunc(extensions, func(e string) bool { return strings.HasSuffix(shard, e) })
	if !known || len(shard) > 255 || shard != filepath.Base(shard) || strings.ContainsAny(shard, "/\\:\x00") || !filepath.IsLocal(shard) {
		return j.fail("tensor %s: %s is no name of a %s file beside the index", limits.Name(name), limits.Name(shard), strings.Join(extensions, " or "))
	}
	i, ok := shardAt[shard]
	if !ok {
		i = len(x.Files)
		if i == maxShards {
			return j.fail("more than %d files", maxShards)
		}
		shardAt[shard] = i
		x.Files = append(x.Files, shard)
	}
	x.Of[name] = i
	return nil
}

// whole reads a non-negative integer, which some writers print as a float.
func (j *jsonReader) whole() (int64, error) {
	end := j.pos
	for end < len(j.b) && strings.IndexByte("0123456789.+-eE", j.b[end]) >= 0 {
		end++
	}
	v, err := strconv.ParseFloat(string(j.b[j.pos:end]), 64)
	if err != nil || v < 0 || v > maxInteger || v != math.Trunc(v) {
		return 0, j.fail("something else where a whole number was expected")
	}
	j.pos = end
	return int64(v), nil
}

// Close closes the files.
func (x *Index) Close() error {
	var err error
	for _, f := range x.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// Entries are the tensors, file by file. The slice is the index's own.
func (x *Index) Entries() []Entry { return x.entries }

// Tensor reads one tensor.
func (x *Index) Tensor(name string) (*onnx.Tensor, error) {
	i, ok := x.shards.Of[name]
	if !ok {
		return nil, limits.InFile(x.name, limits.Refuse("", "no tensor %s", limits.Name(name)))
	}
	return x.files[i].Tensor(name)
}

package language

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"graft/export/pickle"
	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/rewrite"
	"graft/onnx/safetensors"
	"graft/onnx/tokenizer"
)

// ConfigName is the file that says what a model is.
const ConfigName = "config.json"

// PoolingName is the file by which sentence-transformers says how a text's vector is made of its tokens'.
const PoolingName = "1_Pooling/config.json"

// carried are the files that go along with a model, by the bytes that they may have.
var carried = map[string]int64{
	"generation_config.json": 1 << 20, "tokenizer.json": 256 << 20, "tokenizer_config.json": 16 << 20, "special_tokens_map.json": 1 << 20,
	"added_tokens.json": 16 << 20, "vocab.txt": 64 << 20, "vocab.json": 64 << 20, "merges.txt": 64 << 20, "tokenizer.model": 64 << 20,
	"sentencepiece.bpe.model": 64 << 20, "chat_template.jinja": 1 << 20, "sentence_bert_config.json": 1 << 20, "modules.json": 1 << 20,
	PoolingName: 1 << 20, "config_sentence_transformers.json": 1 << 20,
}

// ModelName is the network's file in Optimum's layout.
const ModelName = "model.onnx"

// The files of weights, the first that is there counts.
const (
	safeFile  = "model.safetensors"
	torchFile = "pytorch_model.bin"
)

// IsFolder reports whether path is a folder with a config.json.
func IsFolder(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = os.Stat(filepath.Join(path, ConfigName))
	return err == nil
}

// OpenFolder opens a folder of Hugging Face. Refused input is a *limits.InputError. Files are regular ones in the folder; the
// links of Hugging Face's cache may lead to its blobs.
func OpenFolder(path string) (*Source, error) {
	s := &Source{name: path, Files: map[string][]byte{}}
	if err := s.openFolder(path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Source) openFolder(path string) error {
	data, err := readInside(path, ConfigName, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return limits.InFile(path, limits.Refuse("", "has no %s, which says what the model is", ConfigName))
	}
	if err != nil {
		return err
	}
	file := filepath.Join(path, ConfigName)
	o, err := parseJSON(data)
	if err != nil {
		return limits.InFile(file, err)
	}
	if s.Config, err = readConfig(o); err != nil {
		return limits.InFile(file, err)
	}
	s.Files[ConfigName] = data
	f := &fields{o: o}
	task, err := taskOf(f.texts("architectures"))
	if s.taskErr = err; err == nil && task == net.TextGeneration {
		task = PastTask
	}
	if err := f.err(); err != nil {
		return limits.InFile(file, err)
	}
	if s.taskErr == nil {
		if err := s.SetTask(task); err != nil {
			s.taskErr = err
		}
	}
	for name, most := range carried {
		switch data, err := readInside(path, name, most); {
		case err == nil:
			s.Files[name] = data
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if data := s.Files[tokenizerName]; data != nil {
		t, err := tokenizer.Parse(data)
		if err != nil {
			s.Notes = append(s.Notes, tokenizerName+" goes along unread: "+err.Error())
		} else if err := s.fits(t); err != nil {
			return limits.InFile(filepath.Join(path, tokenizerName), err)
		}
	}
	return s.openWeights(path)
}

// openWeights opens what holds the weights.
func (s *Source) openWeights(path string) error {
	for _, try := range []struct {
		name string
		open func(path, name string) error
	}{{safeFile, s.openSafetensors}, {safeFile + ".index.json", s.openShards}, {torchFile, s.openTorch}, {torchFile + ".index.json", s.openTorchShards}, {ModelName, s.openONNX}} {
		f, _, err := openInside(path, try.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		f.Close()
		return try.open(path, try.name)
	}
	return limits.InFile(path, limits.Refuse("", "has no weights: neither %s nor %s, nor an .index.json of one of them, nor %s", safeFile, torchFile, ModelName))
}

func (s *Source) openSafetensors(path, name string) error {
	src, size, err := openInside(path, name)
	if err != nil {
		return err
	}
	s.close = src.Close
	f, err := safetensors.NewFile(src, size, filepath.Join(path, name))
	if err != nil {
		return err
	}
	for _, e := range f.Entries() {
		s.add(e.Name, e.Dims, func() (*onnx.Tensor, error) { return f.Tensor(e.Name) })
	}
	return nil
}

// openONNX takes the weights of a network that was made here: they have their names there.
func (s *Source) openONNX(path, name string) error {
	m, err := onnx.Load(filepath.Join(path, name), onnx.LoadOptions{})
	if err != nil {
		return err
	}
	s.network = true
	gates := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Initializers() {
		if strings.HasPrefix(v.Name, rewrite.ProjectionNames) {
			return limits.InFile(filepath.Join(path, name), limits.Refuse("", "has a projection behind its last hidden state, which is none of the network's weights").
				WithHint("give the folder that it was made from; graft export and graft bias take the file as it is"))
		}
		if t := v.Const; t != nil {
			s.add(v.Name, t.Dims, func() (*onnx.Tensor, error) { return t, nil })
			gates[v.Name] = t
		}
	}
	return limits.InFile(filepath.Join(path, name), s.closeGates(gates))
}

func (s *Source) openShards(path, name string) error {
	file := filepath.Join(path, name)
	if _, err := s.shards(path, name, ".safetensors"); err != nil {
		return err
	}
	x, err := safetensors.OpenIndex(file)
	if err != nil {
		return err
	}
	s.close = x.Close
	for _, e := range x.Entries() {
		s.add(e.Name, e.Dims, func() (*onnx.Tensor, error) { return x.Tensor(e.Name) })
	}
	return nil
}

// shards reads a list of files, all of which must be in the folder.
func (s *Source) shards(path, name, extension string) (*safetensors.Shards, error) {
	file := filepath.Join(path, name)
	shards, err := safetensors.ReadShards(file, extension)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, shard := range shards.Files {
		f, _, err := openInside(path, shard)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, shard)
		case err != nil:
			return nil, err
		default:
			f.Close()
		}
	}
	if len(missing) > 0 {
		return nil, limits.InFile(file, limits.Refuse("", "files that are not there: %s", limits.Names(missing, 16)))
	}
	return shards, nil
}

func (s *Source) openTorch(path, name string) error {
	list, err := torchTensors(path, name)
	if err != nil {
		return err
	}
	for _, t := range list {
		s.add(t.Name, t.Dims, func() (*onnx.Tensor, error) { return t, nil })
	}
	return nil
}

// openTorchShards reads all files of a list: their weights are in memory then.
func (s *Source) openTorchShards(path, name string) error {
	file := filepath.Join(path, name)
	shards, err := s.shards(path, name, ".bin")
	if err != nil {
		return err
	}
	for i, shard := range shards.Files {
		list, err := torchTensors(path, shard)
		if err != nil {
			return err
		}
		for _, t := range list {
			if at, ok := shards.Of[t.Name]; !ok || at != i {
				return limits.InFile(file, limits.Refuse("file "+limits.Name(shard), "holds tensor %s, which the list puts elsewhere or does not have", limits.Name(t.Name)))
			}
			s.add(t.Name, t.Dims, func() (*onnx.Tensor, error) { return t, nil })
		}
	}
	for name, i := range shards.Of {
		if _, ok := s.index[name]; !ok {
			return limits.InFile(file, limits.Refuse("file "+limits.Name(shards.Files[i]), "does not hold tensor %s, which the list puts there", limits.Name(name)))
		}
	}
	return nil
}

// torchTensors are those of a state dict.
func torchTensors(path, name string) ([]*onnx.Tensor, error) {
	src, size, err := openInside(path, name)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	file := filepath.Join(path, name)
	f, err := pickle.Read(src, size, file)
	if err != nil {
		return nil, limits.InFile(file, err)
	}
	list, err := f.Tensors()
	if err == nil && (len(list) == 0 || slices.ContainsFunc(list, func(t *onnx.Tensor) bool { return t.Name == "" })) {
		err = limits.Refuse("", "holds no tensors by name: save a state dict")
	}
	return list, limits.InFile(file, err)
}

// readInside reads a small file of a folder.
func readInside(folder, name string, most int64) ([]byte, error) {
	f, size, err := openInside(folder, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file := filepath.Join(folder, name)
	if size > most {
		return nil, limits.InFile(file, limits.Refuse("", "%d bytes, at most %d", size, most))
	}
	data := make([]byte, size)
	if err := limits.ReadAt(f, data, 0, ""); err != nil {
		return nil, limits.InFile(file, err)
	}
	return data, nil
}

// openInside opens a regular file of a folder. A link that leads out of it is refused, but for one to the blobs of the
// repository whose snapshot the folder is.
func openInside(folder, name string) (*os.File, int64, error) {
	f, err := openIn(folder, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if abs, err2 := filepath.Abs(folder); err2 == nil && filepath.Base(filepath.Dir(abs)) == "snapshots" {
			repository := filepath.Dir(filepath.Dir(abs))
			if inside, err3 := openIn(repository, filepath.Join("snapshots", filepath.Base(abs), name)); err3 == nil {
				f, err = inside, nil
			}
		}
	}
	file := filepath.Join(folder, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "escapes") {
			return nil, 0, err
		}
		return nil, 0, limits.InFile(file, limits.Refuse("", "is a link that leads out of the folder").WithHint("copy the file"))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = limits.InFile(file, limits.Refuse("", "not a regular file"))
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func openIn(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

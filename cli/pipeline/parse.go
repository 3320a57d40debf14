package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"graft/onnx/limits"
)

// Read reads a pipeline file and checks everything that does not depend on verbs.
func Read(path string) (*File, error) {
	file, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size > maxBytes {
		return nil, &Error{Path: path, Msg: fmt.Sprintf("%d bytes, a pipeline has at most %d", size, maxBytes)}
	}
	data, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse is Read for data that has been read; path names it in messages, and the folder that its paths start from.
func Parse(path string, data []byte) (f *File, err error) {
	f = &File{Path: path}
	if len(data) > maxBytes {
		return nil, f.refuse(Position{}, "%d bytes, a pipeline has at most %d", len(data), maxBytes)
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, f.refuse(Position{}, "is not UTF-8 text")
	}
	root, err := f.tree(data)
	if err != nil {
		return nil, err
	}
	nodes := maxNodes
	root, err = f.expand(root, 0, &nodes, map[*yaml.Node]bool{})
	if err != nil {
		return nil, err
	}
	if err := f.document(root); err != nil {
		return nil, err
	}
	return f, f.check()
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// tree has the YAML library build the tree of nodes, and nothing more: it resolves no types and expands no aliases.
func (f *File) tree(data []byte) (root *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, f.refuse(Position{}, "cannot be read as YAML: %v", p)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, f.refuse(Position{}, "is empty")
		}
		msg, at := err.Error(), Position{}
		if m := yamlLine.FindStringSubmatch(msg); m != nil {
			at.Line, _ = strconv.Atoi(m[1])
			at.Column = 1
			msg = strings.TrimPrefix(msg, m[0])
		}
		return nil, f.refuse(at, "%s", strings.TrimPrefix(msg, "yaml: "))
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, f.refuse(at(&more), "has more than one document, or text behind its first")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, f.refuse(Position{}, "is empty")
	}
	return doc.Content[0], nil
}

func at(n *yaml.Node) Position { return Position{n.Line, n.Column} }

// expand puts copies in the place of aliases, within the bounds, and refuses tags of other types.
func (f *File) expand(n *yaml.Node, depth int, left *int, open map[*yaml.Node]bool) (*yaml.Node, error) {
	if *left--; *left < 0 {
		return nil, f.refuse(at(n), "more than %d values, aliases counted as often as they are used", maxNodes)
	}
	if depth > maxDepth {
		return nil, f.refuse(at(n), "nested more than %d deep", maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		if n.Alias == nil || open[n.Alias] {
			return nil, f.refuse(at(n), "the alias %s contains itself", show(n.Value))
		}
		return f.expand(n.Alias, depth+1, left, open)
	}
	switch n.ShortTag() {
	case "!!map", "!!seq", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp":
	case "!!merge":
		return nil, f.refuse(at(n), "merge keys (<<) are not read: write the keys out")
	default:
		return nil, f.refuse(at(n), "the tag %s is not read", show(n.Tag))
	}
	open[n] = true
	defer delete(open, n)
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		var err error
		if c.Content[i], err = f.expand(child, depth+1, left, open); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// field is a key of a mapping with its value.
type field struct {
	name  string
	key   *yaml.Node
	value *yaml.Node
}

// fields are those of a mapping, each key once; known, where given, are the keys that it may have.
func (f *File) fields(n *yaml.Node, what string, known ...string) ([]field, error) {
	if n.Kind != yaml.MappingNode {
		return nil, f.refuse(at(n), "%s wants keys with values", what)
	}
	var list []field
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			return nil, f.refuse(at(k), "%s has a key that is no name", what)
		}
		if seen[k.Value] {
			return nil, f.refuse(at(k), "%s has the key %s twice", what, show(k.Value))
		}
		if len(known) > 0 && !slices.Contains(known, k.Value) {
			return nil, f.refuse(at(k), "unknown key %s of %s%s", show(k.Value), what, didYouMean(k.Value, known))
		}
		seen[k.Value] = true
		list = append(list, field{k.Value, k, v})
	}
	return list, nil
}

// scalar is a value as it is written: no, 0777 and 1e400 stay what they are, the verb says whether it takes them.
func (f *File) scalar(n *yaml.Node, what string) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", f.refuse(at(n), "%s wants one value", what)
	case n.ShortTag() == "!!null":
		return "", f.refuse(at(n), "%s has no value", what)
	}
	return n.Value, nil
}

func (f *File) text(n *yaml.Node, what string) (Text, error) {
	s, err := f.scalar(n, what)
	if err != nil {
		return Text{}, err
	}
	parts, err := parseText(s)
	if err != nil {
		return Text{}, f.refuse(at(n), "%s: %v", what, err)
	}
	return Text{parts, at(n)}, nil
}

// list is a sequence, or one value that stands for a sequence of one.
func list(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

func (f *File) texts(n *yaml.Node, what string) (all []Text, err error) {
	for _, item := range list(n) {
		t, err := f.text(item, what)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func (f *File) scalars(n *yaml.Node, what string) (all []string, err error) {
	for _, item := range list(n) {
		s, err := f.scalar(item, what)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (f *File) truth(n *yaml.Node, what string) (bool, error) {
	if n.Kind == yaml.ScalarNode {
		switch strings.ToLower(n.Value) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, f.refuse(at(n), "%s wants true or false", what)
}

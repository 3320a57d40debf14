package graphs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
)

// Network is a configuration that builds a model.
type Network interface {
	// Build makes the model, its parameters drawn from the seed.
	Build(seed uint64) (*onnx.Model, error)
}

// Entry is a network that can be asked for by name.
type Entry struct {
	Name    string
	Short   string             // one line for a list
	Presets map[string]Network // "paper" is the published network
}

// Catalog lists the networks by name.
var Catalog = []Entry{
	{"hourglass", "Optimal Eye Surgeon's generator: encoder and decoder without skip connections", map[string]Network{
		"paper": Hourglass{}.Defaults(), "quick": QuickHourglass}},
	{"skip", "Deep Image Prior's encoder-decoder with narrow skip connections", map[string]Network{"paper": Skip{}.Defaults()}},
	{"unet", "Deep Image Prior's U-Net", map[string]Network{"paper": UNet{}.Defaults()}},
	{"deepdecoder", "Deep Decoder: 1x1 convolutions and bilinear upsampling, 100,224 parameters", map[string]Network{"paper": DeepDecoder{}.Defaults()}},
	{"residual", "Deep Image Prior's residual network at full size", map[string]Network{"paper": Residual{}.Defaults()}},
	{"cnn", "plain 3x3 convolutions at full size, as in Optimal Eye Surgeon's code", map[string]Network{"paper": CNN{}.Defaults()}},
	{"resnet", "ResNet classifier for small pictures: 20 layers for CIFAR-10, 8 for Fashion-MNIST (quick)", map[string]Network{
		"paper": ResNet{}.Defaults(), "quick": QuickResNet, "small": SmallResNet, "18": ResNet18, "34": ResNet34, "50": ResNet50}},
	{"vgg", "VGG classifier for small pictures, with norms and one linear layer: 16 layers, or 13 or 19", map[string]Network{
		"paper": VGG{}.Defaults(), "quick": QuickVGG, "13": VGG13, "16": VGG{}.Defaults(), "19": VGG19}},
	{"densenet", "DenseNet-121 for small pictures", map[string]Network{"paper": DenseNet{}.Defaults(), "quick": QuickDenseNet}},
	{"wideresnet", "wide residual network WRN-16-8 for CIFAR-10", map[string]Network{"paper": WideResNet{}.Defaults(), "quick": QuickWideResNet}},
	{"lenet", "LeNet-5 with ReLU, for MNIST, or in colour for CIFAR-10", map[string]Network{"paper": LeNet{}.Defaults(), "cifar": LeNet32}},
	{"bert", "BERT's encoder with a classifier, bert-base, for token numbers and a mask", map[string]Network{
		"paper": BERT{}.Defaults(), "quick": QuickBERT, "tiny": TinyBERT}},
	{"gcn", "graph convolutional network for the classes of nodes", map[string]Network{"paper": GCN{}.Defaults()}},
	{"gat", "graph attention network for the classes of nodes", map[string]Network{"paper": GAT{}.Defaults()}},
	{"sage", "GraphSAGE with the mean of all neighbours, for the classes of nodes", map[string]Network{"paper": SAGE{}.Defaults()}},
	{"appnp", "linear layers whose answers spread along a graph, for the classes of nodes", map[string]Network{"paper": APPNP{}.Defaults()}},
	{"mlp", "linear layers with ReLU between", map[string]Network{"paper": MLP{}.Defaults()}},
}

// QuickHourglass is the small hourglass that a two-core machine trains in minutes.
var QuickHourglass = Hourglass{Channels: []int64{16, 32, 64, 64}, Height: 128, Width: 128}.Defaults()

// Find looks a network up; the error lists the names there are.
func Find(name string) (Entry, error) {
	i := slices.IndexFunc(Catalog, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		names := make([]string, len(Catalog))
		for i, e := range Catalog {
			names[i] = e.Name
		}
		return Entry{}, fmt.Errorf("unknown network %q: there are %s", name, strings.Join(names, ", "))
	}
	return Catalog[i], nil
}

// Set gives a copy of n with a field changed by its name in any case ("channels=16,32,64", "height=256"); lists are
// separated by commas.
func Set(n Network, key, value string) (Network, error) {
	c := reflect.New(reflect.TypeOf(n)).Elem()
	c.Set(reflect.ValueOf(n))
	for _, f := range fields(c.Type()) {
		if !strings.EqualFold(f.Name, key) {
			continue
		}
		if err := assign(c.FieldByIndex(f.Index), value); err != nil {
			return nil, fmt.Errorf("set %s: %w", key, err)
		}
		return c.Interface().(Network), nil
	}
	return nil, fmt.Errorf("no setting %q: there are %s", key, strings.Join(Settings(n), ", "))
}

// Settings lists n's fields with their values: "height=512".
func Settings(n Network) []string {
	v := reflect.ValueOf(n)
	var out []string
	for _, f := range fields(v.Type()) {
		value := strings.ReplaceAll(strings.Trim(fmt.Sprint(v.FieldByIndex(f.Index).Interface()), "[]"), " ", ",")
		out = append(out, strings.ToLower(f.Name)+"="+value)
	}
	return out
}

// fields are those of a configuration, and of what is embedded in it.
func fields(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Anonymous })
}

func assign(field reflect.Value, value string) error {
	switch field.Kind() {
	case reflect.Bool:
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		field.SetBool(on)
		return nil
	case reflect.Float64:
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", value)
		}
		field.SetFloat(x)
		return nil
	case reflect.Int64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", value)
		}
		field.SetInt(n)
		return nil
	}
	if field.Kind() != reflect.Slice {
		return errors.New("it is not set by a text")
	}
	var list []int64
	for part := range strings.SplitSeq(value, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a list of whole numbers", value)
		}
		list = append(list, n)
	}
	if len(list) > 16 {
		return errors.New("at most 16 entries")
	}
	field.Set(reflect.ValueOf(list))
	return nil
}

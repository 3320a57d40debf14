package defaultmask

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"graft/graphs"
	"graft/masking"
	"graft/training"
)

//go:embed quick.mask
var quick []byte

// table lists the masks by the networks that they are for; sizes and channels of pictures do not count.
var table = []struct {
	network graphs.Hourglass
	file    []byte
}{
	{graphs.QuickHourglass, quick},
}

// head is the convolution that makes the picture: its mask keeps all of it, whatever its number of channels, and is in no file.
const head = "out.conv."

// For gives the mask of a network, for every size and number of channels of its pictures.
func For(n graphs.Hourglass) (*masking.Set, error) {
	n = n.Defaults()
	for _, row := range table {
		if like(row.network.Defaults(), n) {
			return decode(row.file, n)
		}
	}
	return nil, fmt.Errorf("default mask: none for an hourglass with scales of %s: there are those for %s", widths(n.Channels), strings.Join(known(), " and "))
}

// like says whether the networks differ in sizes and channels of pictures alone.
func like(a, b graphs.Hourglass) bool {
	return slices.Equal(a.Channels, b.Channels) && a.DownKernel == b.DownKernel && a.UpKernel == b.UpKernel && a.In == b.In
}

func known() []string {
	var list []string
	for _, row := range table {
		list = append(list, widths(row.network.Channels))
	}
	return list
}

func widths(channels []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(channels), " ", ","), "[]")
}

// decode lays the file's mask out over the network's parameters.
func decode(file []byte, n graphs.Hourglass) (*masking.Set, error) {
	n.Height, n.Width = n.Multiple()*(n.DownKernel/2+1), n.Multiple()*(n.DownKernel/2+1) // the smallest there is
	m, err := n.Build(0)
	if err != nil {
		return nil, fmt.Errorf("default mask: %w", err)
	}
	var names []string
	var dims [][]int64
	body, whole := int64(0), int64(0)
	for _, v := range training.Parameters(m.Graph) {
		names, dims = append(names, v.Name), append(dims, v.Const.Dims)
		if strings.HasPrefix(v.Name, head) {
			whole += v.Const.Len()
		} else {
			body += v.Const.Len()
		}
	}
	keep, err := Unpack(file, body)
	if err != nil {
		return nil, err
	}
	for range whole { // the head's parameters are the last
		keep = append(keep, true)
	}
	return masking.FromFlat(names, dims, keep)
}

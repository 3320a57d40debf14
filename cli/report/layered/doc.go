// Package layered lays out directed graphs without cycles from top to bottom, after Sugiyama: every edge leads down, long
// ones through bends of their own, crossings are few, and what is connected stands close together.
//
//	l := layered.Of(sizes, edges)
//	for i, p := range l.Nodes {
//		fmt.Println(i, p.X, p.Y)
//	}
package layered

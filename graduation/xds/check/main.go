// Reads an Envoy bootstrap configuration as JSON from standard input and holds it to Envoy's published schema: every field must
// exist, have its type, and keep the bounds that the schema states. That holds for messages inside an Any as well, which a
// plain Validate skips. It leaves out what Envoy checks when it loads: that a cluster's name exists, or that a regular
// expression compiles.
//
// Prints {"version":…,"messages":…,"types":[…]} and ends with 0, or the faults and 1.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sort"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	// Imported for their types only: an Any of a type that is not linked in cannot be read.
	_ "github.com/cncf/xds/go/xds/type/matcher/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/priority/previous_priorities/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

const schema = "github.com/envoyproxy/go-control-plane/envoy"

type report struct {
	Version  string   `json:"version"`
	Messages int      `json:"messages"`
	Types    []string `json:"types"`
}

// checker walks a message and all that is inside it.
type checker struct {
	faults   []string
	messages int
	types    map[string]bool
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err.Error())
	}
	config := &bootstrap.Bootstrap{}
	// Unknown fields are errors unless DiscardUnknown says otherwise.
	if err := protojson.Unmarshal(text, config); err != nil {
		fail(err.Error())
	}
	check := checker{types: map[string]bool{}}
	check.bounds("bootstrap", config)
	check.walk("bootstrap", config.ProtoReflect())
	if len(check.faults) > 0 {
		fail(check.faults...)
	}
	types := make([]string, 0, len(check.types))
	for name := range check.types {
		types = append(types, name)
	}
	sort.Strings(types)
	out, _ := json.Marshal(report{Version: schemaVersion(), Messages: check.messages, Types: types})
	fmt.Println(string(out))
}

// bounds calls the generated validator, which looks into plain messages but not into an Any.
func (c *checker) bounds(path string, message proto.Message) {
	validator, ok := message.(interface{ ValidateAll() error })
	if !ok {
		c.faults = append(c.faults, fmt.Sprintf("%s: %T has no validator", path, message))
		return
	}
	if err := validator.ValidateAll(); err != nil {
		c.faults = append(c.faults, fmt.Sprintf("%s: %v", path, err))
	}
}

func (c *checker) walk(path string, message protoreflect.Message) {
	c.messages++
	c.types[string(message.Descriptor().FullName())] = true
	if wrapped, ok := message.Interface().(*anypb.Any); ok {
		inner, err := wrapped.UnmarshalNew()
		if err != nil {
			c.faults = append(c.faults, fmt.Sprintf("%s: %v", path, err))
			return
		}
		c.bounds(path, inner)
		c.walk(path, inner.ProtoReflect())
		return
	}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		at := path + "." + string(field.Name())
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			value.Map().Range(func(key protoreflect.MapKey, each protoreflect.Value) bool {
				c.walk(fmt.Sprintf("%s[%q]", at, key.String()), each.Message())
				return true
			})
		case field.IsList() && field.Message() != nil:
			for i := 0; i < value.List().Len(); i++ {
				c.walk(fmt.Sprintf("%s[%d]", at, i), value.List().Get(i).Message())
			}
		case !field.IsMap() && !field.IsList() && field.Message() != nil:
			c.walk(at, value.Message())
		}
		return true
	})
}

func schemaVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == schema {
			return module.Version
		}
	}
	return "unknown"
}

func fail(faults ...string) {
	for _, fault := range faults {
		fmt.Fprintln(os.Stderr, fault)
	}
	os.Exit(1)
}

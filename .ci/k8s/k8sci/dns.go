package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	zone = ".svc.cluster.local."
	ttl  = 5
)

// cluster knows the names of Services, of the pods behind headless ones, and nothing else: CoreDNS
// would add its own dependencies for what tests do not use.
type cluster struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

// runDNS answers A queries by UDP: dns KUBECONFIG ADDRESS:PORT.
func runDNS() {
	if err := serveDNS(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dns:", err)
		os.Exit(1)
	}
}

func serveDNS(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("usage: dns KUBECONFIG ADDRESS:PORT")
	}
	names, err := watch(arguments[0])
	if err != nil {
		return err
	}
	socket, err := net.ListenPacket("udp", arguments[1])
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "dns: listening on", arguments[1])
	buffer := make([]byte, 4096)
	for {
		size, client, err := socket.ReadFrom(buffer)
		if err != nil {
			return err
		}
		answer, err := names.answer(buffer[:size])
		if err == nil {
			_, err = socket.WriteTo(answer, client)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "dns: query of %s: %v\n", client, err)
		}
	}
}

// watch returns the cluster's names, which follow its state from then on.
func watch(kubeconfig string) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	names := &cluster{
		services: factory.Core().V1().Services().Lister(),
		slices:   factory.Discovery().V1().EndpointSlices().Lister(),
	}
	forever := context.Background().Done()
	factory.Start(forever)
	factory.WaitForCacheSync(forever)
	return names, nil
}

func (c *cluster) answer(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	if len(message.Questions) != 1 {
		return nil, fmt.Errorf("%d questions in one query", len(message.Questions))
	}
	question := message.Questions[0]
	answer := dnsmessage.Message{Questions: message.Questions}
	answer.Header = dnsmessage.Header{
		ID:                 message.ID,
		Response:           true,
		Authoritative:      true,
		RecursionDesired:   message.RecursionDesired,
		RecursionAvailable: true,
	}
	addresses := c.addresses(question.Name.String())
	switch {
	case len(addresses) == 0:
		answer.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		for _, address := range addresses {
			answer.Answers = append(answer.Answers, record(question.Name, address))
		}
	}
	return answer.Pack()
}

func record(name dnsmessage.Name, address net.IP) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{
			Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: ttl,
		},
		Body: &dnsmessage.AResource{A: [4]byte(address)},
	}
}

// addresses returns the IPv4 addresses of SERVICE.NAMESPACE or HOST.SERVICE.NAMESPACE in the zone.
func (c *cluster) addresses(name string) []net.IP {
	name, inZone := strings.CutSuffix(strings.ToLower(name), zone)
	parts := strings.Split(name, ".")
	count := len(parts)
	if !inZone || count < 2 {
		return nil
	}
	host := strings.Join(parts[:count-2], ".")
	service, err := c.services.Services(parts[count-1]).Get(parts[count-2])
	if err != nil {
		return nil
	}
	if host == "" && service.Spec.ClusterIP != corev1.ClusterIPNone {
		return onlyIPv4([]string{service.Spec.ClusterIP})
	}
	return c.pods(service, host)
}

// pods returns the addresses of the ready pods behind a Service, or of the one with a host name.
func (c *cluster) pods(service *corev1.Service, host string) []net.IP {
	ofService := labels.SelectorFromSet(labels.Set{discovery.LabelServiceName: service.Name})
	slices, err := c.slices.EndpointSlices(service.Namespace).List(ofService)
	if err != nil {
		return nil
	}
	var found []net.IP
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
			named := endpoint.Hostname != nil && *endpoint.Hostname == host
			if (ready || service.Spec.PublishNotReadyAddresses) && (host == "" || named) {
				found = append(found, onlyIPv4(endpoint.Addresses)...)
			}
		}
	}
	return found
}

func onlyIPv4(addresses []string) []net.IP {
	var found []net.IP
	for _, address := range addresses {
		if ip := net.ParseIP(address).To4(); ip != nil {
			found = append(found, ip)
		}
	}
	return found
}
